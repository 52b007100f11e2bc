"""The rollback: an earlier release made live again, once it is seen that it can answer."""

from dataclasses import dataclass
from datetime import UTC, datetime

from models.errors import ModelError
from models.settings import EncoderSettings
from orchestration.instance.locks import run_lock
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.operations import rollback
from warehouse.serving.release_log import Release


@dataclass(frozen=True)
class RollbackReport:
    """Name the release that was live, the one that it was gone back to, and the new one that says so and is live now."""

    before: Release
    back_to: Release
    live: Release


def roll_back(home: Home, encoder: EncoderSettings, to: int | None = None) -> RollbackReport:
    """Go back to release `to`, by default the one that served before what is live.

    Model, vectors and looked-up features are those of then, to the bit. The lake stays as it is: the next run that finds
    something changed goes on from it, under the model gone back to.

    Raises:
        WarehouseError: There is no such release, or what it needs was cleaned up: nothing was written.
    """
    home.lake.require()
    with run_lock(home):
        releases = home.releases.all()
        back_to = rollback.target(releases, to)
        _see_that_it_answers(home, encoder, back_to)
        done = rollback.roll_back(home, back_to, datetime.now(UTC))
    return RollbackReport(releases[-1], back_to, done.release)


def _see_that_it_answers(home: Home, encoder: EncoderSettings, release: Release) -> None:
    """Open what a search of the release opens.

    Raises:
        WarehouseError: Something of it is gone or damaged.
    """
    hint = "go back to another; stockroom releases lists them and what they lack"
    why = rollback.unservable_reason(home, release)
    if why is not None:
        raise WarehouseError(f"release {release.release} cannot come back: {why}", hint)
    try:
        Searcher(home, encoder, release)
    except ModelError as error:
        raise WarehouseError(f"release {release.release} cannot come back: {error}", hint) from error
