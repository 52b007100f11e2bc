"""`stockroom releases diff`: what searchers see otherwise in one release than in another."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, write_json

if TYPE_CHECKING:
    from orchestration.commands.diff_releases import ReleaseDiff

_NAMED = 3


def register(app: typer.Typer) -> None:
    """Add the command to the group `releases`."""
    app.command("diff")(releases_diff)


def releases_diff(
    a: Annotated[int, typer.Argument(metavar="A", help="Number of a release to compare from.")],
    b: Annotated[int, typer.Argument(metavar="B", help="Number of a release to compare with.")],
    k: Annotated[int, typer.Option("-k", min=1, max=1000, help="Length of the lists that are compared.")] = 10,
    queries: Annotated[
        int, typer.Option("--queries", min=1, metavar="N", help="How many of the judged queries to ask.")
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Which of them: the same ones for the same seed.")] = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two releases: their answers to judged queries, what was measured of their models, and their products.

    The overlap of a query is the share of the k best products that both lists have, whatever their order. Metrics are
    those of the test split, as they stood when each release was published.
    """
    from orchestration.commands.diff_releases import diff_releases
    from orchestration.config.open_context import open_home

    settings = settings_for(home)
    found = diff_releases(open_home(settings), settings.encoder, a, b, k=k, queries=queries, seed=seed)
    if as_json:
        facts = asdict(found)
        write_json(facts | {"a": a, "b": b, "model": {"a": found.a.model_id, "b": found.b.model_id}})
    else:
        show(found)


def show(found: "ReleaseDiff") -> None:
    """Print a comparison for people."""
    a, b = found.a, found.b
    model = f"model {a.model_id}" if a.model_id == b.model_id else f"model {a.model_id} against {b.model_id}"
    console.print(f"release {a.release} against {b.release}: {model}", highlight=False)
    counts = ", ".join(f"{count:,} {what}" for what, count in found.products.items())
    console.print(f"products     {counts}", highlight=False)
    if found.overlap is not None:
        console.print(
            f"overlap@{found.k:<5}{found.overlap:.3f} over {found.queries:,} judged queries, {found.same:,} with the same list",
            highlight=False,
        )
    for name, (before, after) in found.metrics.items():
        console.print(f"{name:<13}{_number(before)} → {_number(after)}", highlight=False)
    for query in found.most_changed:
        sides = [
            f"{sign} {', '.join(keys[:_NAMED])}" for sign, keys in (("−", query.only_a), ("+", query.only_b)) if keys
        ]
        console.print(f"{query.overlap:<13.2f}{query.query!r}  {'  '.join(sides)}", highlight=False, markup=False)


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "–" if value is None else str(value)
