"""`stockroom replay`: the lake and the live vectors made again from the files that came in."""

from dataclasses import asdict, replace

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, progress, write_json


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("replay")(replay_files)


def replay_files(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Replay all files under the live model, and correct what differs. It should find nothing.

    The lake and the live model's vectors are made again beside what is there: from the last full snapshot and the delta
    files after it. Rows that differ replace what is there, and nothing is trained.
    """
    with progress() as announce:
        starting = announce("starting", None)
        from orchestration.commands.replay import replay as run
        from orchestration.config.open_context import open_run_context

        starting(1)
        report = run(replace(open_run_context(settings_for(home)), show_progress=announce))
    if as_json:
        write_json(asdict(report) | {"agrees": report.agrees})
        return
    for table, name in report.files.items():
        console.print(f"replayed     {name} into {table}", highlight=False, markup=False)
    console.print(f"replayed     {report.deltas:,} deltas; {report.superseded:,} more had a full snapshot after them")
    for table, counts in report.differing.items():
        told = ", ".join(f"{rows:,} {how}" for how, rows in counts.items() if rows)
        console.print(f"differed     {table}: {told}", style="yellow")
    if any(report.vectors.values()):
        told = ", ".join(f"{rows:,} {how}" for how, rows in report.vectors.items() if rows)
        console.print(f"differed     vectors.products: {told}", style="yellow")
    if report.agrees:
        console.print("Nothing differed: every row and every vector is what the files make of them.")
    done = report.run
    if done.new_release:
        console.print(f"release      {done.release}: model {done.model}, snapshot {done.snapshot}")
    else:
        console.print(f"Searches answer as before: release {done.release} stays live.")
