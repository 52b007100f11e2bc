"""`stockroom rollback`: makes an earlier release live again."""

from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import show_fact, write_json


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("rollback")(rollback)


def rollback(
    release: Annotated[
        int | None,
        typer.Argument(
            metavar="[N]", help="The release to go back to. Default: the release that was live before the live one."
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an earlier release live again, with exactly its model, its vectors and its features for lookups.

    A rollback recomputes nothing: it appends a row to the releases, which takes a second or two in a catalog of any size.
    `stockroom rollback` again goes one release further back. `stockroom rollback N` also goes forward.

    The lake keeps all ingested data. The rollback stays in force until `stockroom build` or `stockroom apply` finds that the
    catalog, the judgements or the time-series features changed: the next release then has the lake's catalog and the
    restored model. The replaced model goes live again only by `stockroom build --force` or by another rollback.
    """
    from orchestration.commands.rollback import roll_back
    from orchestration.config.open_home import open_home
    from warehouse.history.checkpoints import utc

    settings = settings_for(home)
    report = roll_back(open_home(settings), settings.encoder, release)
    live = report.live
    if as_json:
        write_json(
            {
                "release": live.release,
                "before": report.before.release,
                "back_to": report.back_to.release,
                "model": live.model_id,
                "snapshot": live.snapshot,
                "vectors": live.vector_version,
            }
        )
        return
    of = f"model {live.model_id}, vectors v{live.vector_version}, snapshot {live.snapshot}"
    show_fact("release", f"{live.release}: {live.note}, {of}")
    show_fact("published", f"{utc(report.back_to.published_at)}, as release {report.back_to.release}")
    show_fact(
        "before",
        f"release {report.before.release} was live until now: stockroom releases diff {live.release} "
        f"{report.before.release} compares them",
    )
