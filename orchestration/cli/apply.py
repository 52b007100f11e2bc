"""`stockroom apply`: from delta files to a release."""

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.build import show_new
from orchestration.cli.options import AllowLossOption, HomeOption, JsonOption, path_from, settings_for
from orchestration.cli.output import console, errors, show_fact, show_outside, write_json
from orchestration.cli.progress_bars import progress
from orchestration.cli.quarantine_output import show_quarantined
from orchestration.cli.relevance_output import show_gate
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from orchestration.commands.apply import ApplyReport
    from orchestration.commands.apply_inbox import IncomingReport

_COUNTS = ("inserted", "updated", "deleted", "unchanged", "unknown", "superseded", "late", "refused")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("apply")(apply)


def apply(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE…",
            parser=path_from,
            help="Delta files (parquet, JSON lines, or as declared in stockroom.toml) and search_rules.csv, in their order.",
        ),
    ] = None,
    incoming: Annotated[
        bool,
        typer.Option(
            "--incoming",
            help="Apply the files that wait in the home's folder incoming/, as stockroom ui does by itself.",
        ),
    ] = False,
    retrain: Annotated[
        bool,
        typer.Option("--retrain", help="Train a new model on the changed data, and publish it if the gate lets it."),
    ] = False,
    allow_loss: AllowLossOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Apply delta files: update the changed rows and their vectors, and publish a release under the live model.

    A row has `op` (upsert or delete), an optional `event_time`, and the columns of products or of judgements. An upsert is a
    whole row: an optional column that is not given is null from then on. Of several changes to one row the newest event_time
    counts; at equal times, and without one, the one applied last. A file, identified by name and hash, is applied once. A
    command applies all of its files or none.

    A file named search_rules.csv holds all search rules of the shop, and replaces all earlier rules.

    With --incoming the complete files of the folder are applied, oldest first. Published files go to incoming/done/. Files
    that are not delta files go to incoming/failed/ with a reason; such a file does not stop the others.

    Files that would together remove more than half of the products or judgements (the setting warehouse.max_loss_share) are
    refused, unless --allow-loss permits it. A file of which every row breaks a rule is refused too, and can be given again.

    The live model stays live: only changed rows are cleaned, and only new texts are encoded. `stockroom build` trains.
    """
    if incoming == bool(files) or (incoming and retrain):
        raise WarehouseError(
            "stockroom apply takes files, or --incoming alone", "give files, or --incoming without files"
        )
    settings = settings_for(home)
    with progress() as announce:
        announce("starting", None)
        from orchestration.commands.apply import apply as run
        from orchestration.commands.apply_inbox import apply_incoming
        from orchestration.config.open_context import open_run_context

        run_context = replace(open_run_context(settings), show_progress=announce, allow_loss=allow_loss)
        incoming_report = apply_incoming(run_context, settings.automation.settle_s) if incoming else None
        report = run(run_context, files, retrain=retrain) if files else None
    if as_json:
        write_json(asdict(incoming_report or report))  # type: ignore[arg-type]
    elif incoming_report is not None:
        show_incoming(incoming_report)
    elif report is not None:
        show(report)
    if incoming_report is not None and incoming_report.failed:
        raise typer.Exit(1)


def show_incoming(report: "IncomingReport") -> None:
    """Print the outcome of each dropped file, and of applying the files."""
    for name, reason in report.failed.items():
        errors.print(f"failed       {name}: {reason}", style="yellow", highlight=False, markup=False)
    for name in report.unsettled:
        console.print(f"left         {name}: the file may still be written", markup=False)
    if report.left_to is not None:
        console.print(f"run {report.left_to[:8]}  of stockroom ui is applying the files")
    elif report.apply is not None:
        show(report.apply)
    else:
        console.print(
            "No file is left in incoming/." if report.done or report.failed else "No file waits in incoming/."
        )
    for name in report.done:
        console.print(f"done         {name}", markup=False)


def show(report: "ApplyReport") -> None:
    """Print the effect of each file, and the release."""
    for file in report.files:
        if not file["is_new"]:
            show_fact("known", f"{file['name']}: the file was applied before, as delta {file['sequence_number']}")
            continue
        counts = ", ".join(f"{file[name]:,} {name}" for name in _COUNTS if file[name]) or "no row"
        show_fact(f"delta {file['sequence_number']}", f"{file['name']}: {counts} in {file['table']}")
    if report.search_rules is not None:
        rules = report.search_rules
        counts = ", ".join(f"{rules[name]:,} {name}" for name in _COUNTS if rules.get(name)) or "unchanged"
        show_fact("rules", f"search_rules.csv: {counts} in {rules['table']}")
    changed_attributes = {name: count for name, count in (report.attributes or {}).items() if count}
    if changed_attributes:
        counts = ", ".join(f"{count:,} {name}" for name, count in changed_attributes.items())
        show_fact("attributes", f"of products: {counts}")
    show_quarantined(_refusals(report))
    if report.run is not None:
        for warning in report.run.warnings:
            show_fact("warning", warning, "yellow")
        show_new(report.run)
        if report.run.gate:
            show_gate(report.run.gate)
        show_fact("seconds", f"{sum(report.run.seconds.values()):.1f}")
    if report.run is not None and report.run.new_release:
        show_fact("release", f"{report.release}: model {report.run.model}, snapshot {report.snapshot}")
    elif report.changed:
        stays = f"{report.release} stays live: searches answer as before"
        show_fact("release", f"{stays}; the lake is at snapshot {report.snapshot}")
    else:
        show_fact("release", f"{report.release} stays live: nothing changed, snapshot {report.snapshot}")
    show_outside(report.rows_outside, is_due=report.needs_reindex)


def _refusals(report: "ApplyReport") -> list[dict[str, Any]]:
    """Return the refused rows by table and rule: all of the files, even if known, and those that the run refused after them."""
    refusals = {(each["table"], each["rule"]): each for each in report.quarantined}
    of_files: Counter[tuple[str, str]] = Counter()
    for file in report.files:
        of_files.update({(file["table"], rule): rows for rule, rows in file["rules"].items()})
    for (table, rule), rows in of_files.items():
        new = refusals.get((table, rule), {"table": table, "rule": rule, "rows": 0, "keys": []})
        refusals[table, rule] = new | {"rows": max(rows, new["rows"])}
    return list(refusals.values())
