"""`stockroom releases diff`: the differences of two releases for searchers."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import show_fact, show_title, write_json
from warehouse.wording import counted

if TYPE_CHECKING:
    from orchestration.commands.diff_releases import ReleaseDiff

_MAX_KEYS = 3


def register(app: typer.Typer) -> None:
    """Add the command to the group `releases`."""
    app.command("diff")(releases_diff)


def releases_diff(
    a: Annotated[int, typer.Argument(metavar="A", help="Number of a release to compare from.")],
    b: Annotated[int, typer.Argument(metavar="B", help="Number of a release to compare with.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Length of the lists that are compared.")] = 10,
    queries: Annotated[
        int, typer.Option("--queries", min=1, metavar="N", help="How many of the judged queries to search for.")
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Which of them: the same ones for the same seed.")] = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two releases: their answers to judged queries, the metrics of their models, and their products.

    The overlap of a query is the share of the k best products that both lists have, whatever their order. Metrics are
    those of the test split, as they stood when each release was published.
    """
    from orchestration.commands.diff_releases import diff_releases
    from orchestration.config.open_home import open_home

    settings = settings_for(home)
    diff = diff_releases(open_home(settings), settings.encoder, a, b, k=k, queries=queries, seed=seed)
    if as_json:
        facts = asdict(diff)
        write_json(facts | {"a": a, "b": b, "model": {"a": diff.a.model_id, "b": diff.b.model_id}})
    else:
        show(diff)


def show(diff: "ReleaseDiff") -> None:
    """Print a comparison for people."""
    a, b = diff.a, diff.b
    model = f"model {a.model_id}" if a.model_id == b.model_id else f"model {a.model_id} against {b.model_id}"
    show_title(f"release {a.release} against {b.release}: {model}")
    counts = ", ".join(f"{count:,} {change}" for change, count in diff.products.items())
    show_fact("products", counts)
    if diff.overlap is not None:
        same = f"{counted(diff.queries, 'judged query', 'judged queries')}, {diff.same:,} with the same list"
        show_fact(f"overlap@{diff.k}", f"{diff.overlap:.3f} over {same}")
    for name, (before, after) in diff.metrics.items():
        show_fact(name, f"{_number(before)} → {_number(after)}", width=max(13, len(name) + 1))
    for query in diff.most_changed:
        sides = [
            f"{sign} {', '.join(keys[:_MAX_KEYS])}" for sign, keys in (("−", query.only_a), ("+", query.only_b)) if keys
        ]
        show_fact(f"{query.overlap:.2f}", f"{query.query!r}  {'  '.join(sides)}")


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "–" if value is None else str(value)
