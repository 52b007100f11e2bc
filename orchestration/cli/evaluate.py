"""`stockroom evaluate`: can its numbers be trusted?"""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, progress, relevance_table, write_json

_NAMED = 10


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("evaluate")(evaluate)


def evaluate(
    examples: Annotated[
        Path | None,
        typer.Option(
            "--examples",
            metavar="FILE",
            help="Measure on this ESCI examples file, all rows of it, instead of the test split.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the live release beside random order, BM25 and the untrained encoder.

    ndcg: ESCI's gains over each judged list; ndcg_official: with the official code's gains; recall@k and mrr: Exact
    products found in the whole catalogue of the query's locale. The last row is the model's lead over its encoder with a
    95 % paired bootstrap interval over queries.
    """
    settings = settings_for(home)
    with progress() as announce:
        bar = announce("measuring", None)
        from orchestration.evaluator import evaluate_live
        from orchestration.workspace import open_workspace

        report = evaluate_live(open_workspace(settings), examples)
        bar(1)
    if as_json:
        write_json(report)
        return
    source = examples or "the test split"
    console.print(relevance_table(report, f"release {report['release']} on {source}"))
    console.print(
        f"{report['queries']:,} queries, {report['judgements']:,} judgements; {report['queries_with_exact']:,} queries have an "
        f"Exact product (recall, mrr); {report['queries_with_two_gains']:,} have at least two distinct gains: in the others "
        "any order has the same ndcg"
    )
    if report["queries_trained_on"]:
        console.print(
            f"[bold]{report['queries_trained_on']:,} of these queries are in the model's training data:[/bold] on them it looks "
            "better than it is"
        )
    for locale, systems in report["locales"].items():
        means = ", ".join(f"{name} {values['recall@10'] or 0:.3f}" for name, values in systems.items())
        console.print(f"{locale}: recall@10 {means}", highlight=False)
    missing = report.get("missing_products", {"count": 0, "products": []})
    if missing["count"]:
        named = ", ".join(missing["products"][:_NAMED])
        more = f" and {missing['count'] - _NAMED:,} more (all with --json)" if missing["count"] > _NAMED else ""
        console.print(
            f"{missing['count']:,} judged products are not in the catalogue: {named}{more}",
            highlight=False,
            markup=False,
        )
    for rule, rows in report.get("refused_rows", {}).items():
        console.print(f"{rows:,} rows refused: {rule}", highlight=False)
