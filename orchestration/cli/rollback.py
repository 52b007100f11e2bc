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
            metavar="[N]", help="The release to go back to. Default: what served before the one that is live."
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an earlier release live again: its model, its vectors, its looked-up features, to the bit.

    It takes a second or two, whatever the catalog's size: nothing is recomputed, a row is appended to the releases.
    Given again without N it goes one release further back; `stockroom rollback N` goes forward too.

    The lake keeps all that came in. The rollback stands until a build or an apply finds catalog, judgements or time-series
    features changed: then the catalog goes on as it is in the lake, under the restored model. A model that was taken
    away goes live again only by `stockroom build --force` or by another rollback.
    """
    from orchestration.commands.rollback import roll_back
    from orchestration.config.open_context import open_home
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
