"""`stockroom evaluate`: metrics of the live release or of the training procedure."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestration.cli.fold_output import show_folds
from orchestration.cli.judgement_output import show_known_items, show_locales
from orchestration.cli.options import HomeOption, JsonOption, path_from, settings_for
from orchestration.cli.output import console, show_fact, write_json
from orchestration.cli.progress_bars import progress
from orchestration.cli.relevance_output import show_relevance, show_trust
from warehouse.wording import counted

_MAX_NAMES = 10
_UNJUDGED = (
    "not measured: release {release} has no test query of task 1 (small_version 1, split test); give your own judgements: "
    "--examples FILE; or hold out each query once: --folds 5"
)
_TRAINED_ON = ("of these queries is", "of these queries are")
_UNKNOWN = ("judged product is", "judged products are")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evaluate")(evaluate)


def evaluate(
    examples: Annotated[
        Path | None,
        typer.Option(
            "--examples",
            metavar="FILE",
            parser=path_from,
            help="Measure on this ESCI examples file, all rows of it, instead of the test split.",
        ),
    ] = None,
    raw: Annotated[
        Path | None,
        typer.Option(
            "--raw",
            metavar="DIR",
            parser=path_from,
            help="Measure the live model on this ESCI folder instead: its products are embedded and its test queries searched.",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            min=2,
            metavar="K",
            help="Measure the training procedure, not the release: divide all queries into K folds by a hash, train K times "
            "without one fold, and measure the queries of that fold.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the live release beside random order, BM25, the untrained encoder and the model that was live before.

    ndcg: ESCI's gains over each judged list; ndcg_official: with the official code's gains; recall@k and mrr: Exact
    products found in the whole catalog of the query's locale. The lines of `trust` are those of a build: leads in
    recall@10, each with a 95 % paired bootstrap interval over queries.
    """
    if sum(option is not None for option in (examples, raw, folds)) > 1:
        raise typer.BadParameter("--examples, --raw and --folds exclude each other: give one of them")
    settings = settings_for(home)
    with progress() as announce:
        announce("starting", None)
        from orchestration.config.open_context import open_run_context

        run_context = replace(open_run_context(settings), show_progress=announce)
        if folds is not None:
            from orchestration.commands.evaluate.folds import evaluate_folds

            report = evaluate_folds(run_context, folds)
        elif raw is not None:
            from orchestration.commands.evaluate.transfer import evaluate_transfer

            report = evaluate_transfer(run_context, raw)
        else:
            from orchestration.commands.evaluate.live import evaluate_live

            report = evaluate_live(run_context, examples)
    if as_json:
        write_json(report)
    elif folds is not None:
        show_folds(report)
    else:
        _show(report, str(raw or examples or "the test split"))


def _show(report: dict[str, Any], source: str) -> None:
    """Print the evaluation of a release."""
    if "known_items" in report:
        show_fact("relevance", _UNJUDGED.format(release=report["release"]))
        console.print()
        show_known_items(report["known_items"])
        show_locales(report["known_items"])
        return
    show_relevance(report, f"release {report['release']} on {source}")
    console.print(
        f"{counted(report['queries'], 'query', 'queries')}, {counted(report['judgements'], 'judgement')}",
        highlight=False,
    )
    show_trust(report)
    if report["queries_trained_on"]:
        console.print(
            f"[bold]{counted(report['queries_trained_on'], *_TRAINED_ON)} in the model's training data:[/bold] there the model "
            "looks better than it is"
        )
    for locale, rankers in report["locales"].items():
        means = ", ".join(f"{name} {values['recall@10'] or 0:.3f}" for name, values in rankers.items())
        console.print(f"{locale}: recall@10 {means}", highlight=False)
    missing = report.get("missing_products", {"count": 0, "products": []})
    if missing["count"]:
        names = ", ".join(missing["products"][:_MAX_NAMES])
        more = f" and {missing['count'] - _MAX_NAMES:,} more (all with --json)" if missing["count"] > _MAX_NAMES else ""
        console.print(
            f"{counted(missing['count'], *_UNKNOWN)} not in the catalog: {names}{more}",
            highlight=False,
            markup=False,
        )
    for rule, rows in report.get("refused_rows", {}).items():
        console.print(f"{counted(rows, 'row')} refused: {rule}", highlight=False)
