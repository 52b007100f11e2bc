"""`stockroom vacuum`: deletes unused data."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, show_fact, write_json
from warehouse.wording import counted

if TYPE_CHECKING:
    from orchestration.vacuum import VacuumReport

_COUNT_WIDTH = 9


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("vacuum")(vacuum)


def vacuum(
    keep: Annotated[
        int | None,
        typer.Option(
            "--keep", min=1, metavar="N", help="Keep the newest N releases. Default: the setting vacuum.keep_releases."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the data that would be deleted, and change nothing.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete the data that no kept release, checkpoint or model needs, and free the disk space.

    The vacuum keeps the newest releases, with the data that a search, a lookup or a rollback needs. It keeps the newest
    checkpoints, and those that the models were trained on: `stockroom train --as-of` can train each model again. It
    keeps releases, checkpoints, versions of vectors and embeddings that are younger than a day (vacuum.keep_hours). It deletes
    other versions of vectors, vector tables of refused models, cached embeddings of unused texts, snapshots of the lake
    between checkpoints and their files, rows for lookups, and old runs of the run log. After a kill, run it again.
    """
    from models.encoder.loading import encoder_fingerprint
    from orchestration.config.open_home import open_home
    from orchestration.vacuum import vacuum as run

    settings = settings_for(home)
    vacuum_settings = settings.vacuum if keep is None else settings.vacuum.model_copy(update={"keep_releases": keep})
    report = run(open_home(settings), vacuum_settings, encoder_fingerprint(settings.encoder), dry_run=dry_run)
    if as_json:
        write_json(asdict(report))
    else:
        show(report)


def show(report: "VacuumReport") -> None:
    """Print the deleted data, and the kept releases and checkpoints."""
    outcome = "would delete" if report.dry_run else "deleted"
    counts = {
        ("vector table", "vector tables"): len(report.vector_tables),
        ("version of vectors", "versions of vectors"): report.vector_versions,
        ("version of the text index", "versions of the text index"): report.text_versions,
        ("ranker", "rankers"): len(report.rankers),
        ("cache of an encoder", "caches of encoders"): len(report.encoders),
        ("cached embedding", "cached embeddings"): report.embeddings,
        ("row for lookups", "rows for lookups"): report.online_rows,
        ("run in the run log", "runs in the run log"): report.runs,
        ("snapshot of the lake", "snapshots of the lake"): len(report.snapshots_expired),
        ("file of the lake", "files of the lake"): report.lake_files,
    }
    for words, count in counts.items():
        if count:
            show_fact(outcome, _aligned(count, *words))
    if not any(counts.values()):
        console.print("Nothing can be deleted.")
    show_fact("kept", f"releases {', '.join(map(str, report.releases)) or 'none'}")
    show_fact("kept", f"checkpoints {', '.join(map(str, report.checkpoints)) or 'none'}")
    if not report.dry_run:
        freed = report.bytes_before - report.bytes_after
        change = (
            f"{abs(freed) / 1e6:,.1f} MB {'less' if freed >= 0 else 'more: the old files stay until a later vacuum'}"
        )
        show_fact("on disk", f"{report.bytes_after / 1e6:,.1f} MB, {change}")


def _aligned(count: int, one: str, many: str) -> str:
    """Return a count with its noun; the counts of several lines are aligned right."""
    return " " * (_COUNT_WIDTH - len(f"{count:,}")) + counted(count, one, many)
