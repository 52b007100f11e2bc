"""The rollback: makes an earlier release live again, after a check that it can answer."""

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
    """Name the release that was live before, the restored release, and the new live release that repeats it."""

    before: Release
    back_to: Release
    live: Release


def roll_back(home: Home, encoder: EncoderSettings, to: int | None = None) -> RollbackReport:
    """Go back to release `to`, by default the one that served before the live one.

    Model, vectors and online features are those of that release, to the bit. The lake stays as it is: the next run that
    finds a change continues from the lake, under the restored model.

    Raises:
        WarehouseError: There is no such release, or data that it needs was cleaned up: nothing was written.
    """
    home.lake.require()
    with run_lock(home):
        releases = home.releases.all()
        back_to = rollback.target(releases, to)
        _check_answers(home, encoder, back_to)
        result = rollback.roll_back(home, back_to, datetime.now(UTC))
    return RollbackReport(releases[-1], back_to, result.release)


def _check_answers(home: Home, encoder: EncoderSettings, release: Release) -> None:
    """Refuse a release that a search could not open.

    Raises:
        WarehouseError: A part of the release is missing or damaged.
    """
    hint = "choose another release; stockroom releases lists each release and its missing parts"
    reason = rollback.unservable_reason(home, release)
    if reason is not None:
        raise WarehouseError(f"release {release.release} cannot be restored: {reason}", hint)
    try:
        Searcher(home, encoder, release, in_memory=False)
    except ModelError as error:
        raise WarehouseError(f"release {release.release} cannot be restored: {error}", hint) from error
