"""`stockroom apply`: what changed, from delta files to a release."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, gate_line, progress, write_json

if TYPE_CHECKING:
    from orchestration.applier import ApplyReport

_COUNTS = ("inserted", "updated", "deleted", "unchanged", "unknown", "overruled", "stale", "refused")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("apply")(apply)


def apply(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE…", help="Delta files, parquet or JSON lines, in the order of arrival.")
    ],
    retrain: Annotated[
        bool,
        typer.Option("--retrain", help="Train a new model on the changed data, and publish it if the gate lets it."),
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring delta files in and reindex what they changed.

    A row has `op` (upsert or delete), an optional `event_time`, and the columns of products or of judgements. An upsert is a
    whole row: an optional column that is not given is null from then on. Of several words on one row the newest event_time
    stays; at equal times, and without one, the last to arrive. A file comes in once, known by name and hash together, and
    all the files of a command come in or none.

    The live model is held: only changed rows are cleaned, only unseen texts encoded. `stockroom build` trains.
    """
    settings = settings_for(home)
    with progress() as announce:
        starting = announce("starting", None)
        from orchestration.applier import apply as run
        from orchestration.workspace import open_workspace

        starting(1)
        report = run(replace(open_workspace(settings), show_progress=announce), files, retrain=retrain)
    if as_json:
        write_json(asdict(report))
    else:
        show(report)


def show(report: "ApplyReport") -> None:
    """Print what each file did and what came of it."""
    for file in report.files:
        if not file["is_new"]:
            console.print(f"known        {file['name']}: it came in before, as delta {file['arrival']}", markup=False)
            continue
        counts = ", ".join(f"{file[name]:,} {name}" for name in _COUNTS if file[name]) or "no row"
        console.print(f"delta {file['arrival']:<6} {file['name']}: {counts} in {file['table']}", markup=False)
        for rule, rows in file["rules"].items():
            console.print(f"quarantined  {rows:,} × {file['table']}: {rule}", markup=False)
    if report.run is not None:
        for warning in report.run.warnings:
            console.print(f"warning      {warning}", style="yellow", highlight=False, markup=False)
        cleaned = ", ".join(f"{count:,} of {table}" for table, count in report.run.cleaned.items())
        console.print(f"cleaned      {cleaned}")
        console.print(f"encoded      {report.run.texts_encoded:,} texts")
        if report.run.gate:
            console.print(gate_line(report.run.gate))
        took = sum(report.run.seconds.values())
        console.print(f"seconds      {took:.1f}")
    if report.run is not None and report.run.new_release:
        console.print(f"release      {report.release}: model {report.run.model}, snapshot {report.snapshot}")
    elif report.changed:
        console.print(f"Searches answer as before: release {report.release} stays live. Snapshot {report.snapshot}.")
    else:
        console.print(f"Nothing changed: release {report.release} stays live, at snapshot {report.snapshot}.")
