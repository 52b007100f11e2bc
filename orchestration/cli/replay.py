"""`stockroom replay`: recomputes the lake and the live vectors from the input files."""

from dataclasses import asdict, replace

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import show_fact, write_json
from orchestration.cli.progress_bars import progress
from warehouse.wording import counted


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("replay")(replay_files)


def replay_files(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Replay all files under the live model, and correct the rows and vectors that differ. None should differ.

    The lake and the live model's vectors are recomputed separately, from the last full snapshot and the delta files after
    it. Rows that differ are then replaced, and nothing is trained.
    """
    with progress() as announce:
        announce("starting", None)
        from orchestration.commands.replay import replay as run
        from orchestration.config.open_context import open_run_context

        report = run(replace(open_run_context(settings_for(home)), show_progress=announce))
    if as_json:
        write_json(asdict(report) | {"agrees": report.agrees})
        return
    for table, name in report.files.items():
        show_fact("replayed", f"{name} into {table}")
    show_fact(
        "replayed", f"{counted(report.deltas, 'delta')}; {report.superseded:,} more had a full snapshot after them"
    )
    for table, counts in report.differing.items():
        text = ", ".join(f"{rows:,} {change}" for change, rows in counts.items() if rows)
        show_fact("differed", f"{table}: {text}", "yellow")
    if any(report.vectors.values()):
        text = ", ".join(f"{rows:,} {change}" for change, rows in report.vectors.items() if rows)
        show_fact("differed", f"vectors.products: {text}", "yellow")
    if report.agrees:
        show_fact("result", "nothing: every row and vector matches the files")
    run_report = report.run
    if run_report.new_release:
        show_fact("release", f"{run_report.release}: model {run_report.model}, snapshot {run_report.snapshot}")
    else:
        show_fact("release", f"{run_report.release} stays live: searches answer as before")
