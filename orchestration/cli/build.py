"""`stockroom build`: the whole pipeline."""

import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import AllowLossOption, HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, gate_line, progress, relevance_table, show_next, write_json

if TYPE_CHECKING:
    from orchestration.commands.build import BuildReport


_STAGES = 8


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("build")(build)


def build(
    raw: Annotated[
        Path | None,
        typer.Option(
            "--raw", metavar="DIR", help="Folder with ESCI's parquet files. Without it the run goes on from the lake."
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Publish the new model even if the gate refuses it; the release says so."),
    ] = False,
    allow_loss: AllowLossOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole pipeline: clean, make features, train, embed, evaluate, release.

    Only what is new is done: unchanged rows are not cleaned again, known texts not encoded again, and where nothing
    changed nothing is written. The run is recorded in the Dagster instance that `stockroom ui` shows.

    A new model goes live only if the gate lets it through: the lower end of the 95 % interval of its validation recall@10
    minus the live model's must lie above minus the setting release.gate_margin. Else the live one stays, with the catalog
    as it now is.

    A folder that would take more than half of the products or judgements away (the setting warehouse.max_loss_share) is
    refused before anything is written, unless `--allow-loss` says that it is meant. One that would leave none is always
    refused.
    """
    settings = settings_for(home)
    with progress() as announce:
        starting = announce("starting", None)
        from orchestration.commands.build import build as run
        from orchestration.config.open_context import open_run_context

        starting(1)
        run_context = replace(open_run_context(settings), show_progress=announce, force=force, allow_loss=allow_loss)
        report = run(run_context, raw or settings.raw)
    if as_json:
        write_json(asdict(report))
    else:
        show(report, settings.home)


def show(report: "BuildReport", home: Path) -> None:
    """Print the summary of a build."""
    from rich.table import Table

    stages = Table(title="rows", title_justify="left")
    for name in ("table", "rows", "quarantined"):
        stages.add_column(name, justify="left" if name == "table" else "right")
    refusals: dict[str, int] = {}
    for row in report.quarantined:
        refusals[row["table"]] = refusals.get(row["table"], 0) + row["rows"]
    for table, rows in report.rows.items():
        stages.add_row(table, f"{rows:,}", f"{refusals[table]:,}" if table in refusals else "")
    console.print(stages)
    for row in report.quarantined:
        console.print(f"quarantined  {row['rows']:,} × {row['table']}: {row['rule']}")
    for warning in report.warnings:
        console.print(f"warning      {warning}", style="yellow", highlight=False, markup=False)
    if report.relevance["rankers"]:
        queries = report.relevance["rankers"]["model"]["queries"]
        console.print(relevance_table(report.relevance, f"relevance, {queries:,} test queries"))
    slowest = sorted(report.seconds.items(), key=lambda item: -item[1])
    most, rest = slowest[:_STAGES], slowest[_STAGES:]
    parts = [f"{stage} {seconds:.1f}" for stage, seconds in most]
    if rest:
        parts.append(f"{len(rest)} others {sum(seconds for _, seconds in rest):.1f}")
    console.print(f"seconds      {', '.join(parts)}", highlight=False)
    cleaned = ", ".join(f"{count:,} of {table}" for table, count in report.cleaned.items())
    console.print(f"cleaned      {cleaned}")
    console.print(f"encoded      {report.texts_encoded:,} texts")
    if report.gate:
        console.print(
            gate_line(report.gate), style=None if report.gate["decision"] in ("passed", "first") else "yellow"
        )
    if report.changed:
        console.print(
            f"release      {report.release}: model {report.model}, vectors v{report.vector_version}, snapshot {report.snapshot}"
        )
        show_next(f'stockroom search "…" --home {shlex.quote(str(home))}', ", stockroom sql, stockroom ui")
    else:
        console.print(
            f"Nothing changed: 0 texts encoded, no new snapshot (still {report.snapshot}), no new vector version "
            f"(still {report.vector_version}), no new release (still {report.release})."
        )
