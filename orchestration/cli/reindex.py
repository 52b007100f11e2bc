"""`stockroom reindex`: rebuild the indexes of the live release."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import show_fact, write_json
from orchestration.cli.progress_bars import progress
from warehouse.wording import counted

if TYPE_CHECKING:
    from orchestration.reindex import ReindexReport


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("reindex")(reindex)


def reindex(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Take the rows that lie outside the vector index and the full-text index into them, and publish the result.

    An apply leaves the rows that it writes outside: a search finds them, but takes longer the more they are. Searches and
    other commands go on during a reindex. It publishes a release with the same products, model and ranker. If another run
    changes rows meanwhile, these stay outside until the next reindex. After a kill, run it again.

    The sensor `reindex` of `stockroom ui` does the same by itself.
    """
    with progress() as announce:
        announce("starting", None)
        from orchestration.config.open_home import open_home
        from orchestration.reindex import reindex as run

        report = run(open_home(settings_for(home)), announce)
    if as_json:
        write_json(asdict(report))
    else:
        show(report)


def show(report: "ReindexReport") -> None:
    """Print what each index took in, and the release."""
    for index, rows in (("vector index", report.vectors), ("text index", report.texts)):
        show_fact(index, f"took in {counted(rows, 'row')}" if rows else "no row was outside")
    if report.new_release:
        show_fact("release", f"{report.release}: the same products, model and ranker")
    elif report.changed:
        show_fact("release", f"{report.release} stays live: the next build or apply publishes the indexes")
    else:
        show_fact("release", f"{report.release} stays live: nothing changed")
