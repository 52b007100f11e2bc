"""Rollback: make an earlier release live again, and keep the rollback from being undone by accident.

A rollback changes only the results of searches and lookups. The lake and the newest vectors stay unchanged. The next release
continues from the lake, under the model of the rollback's target. Two rules protect a rollback:

- The rollback stays live until a run finds a change of the catalog, the judgements or the time-series features. The release
  before it is not published again while these are unchanged.
- The gate does not admit a model that a rollback replaced. It admits another model at once.

Force and another rollback end both rules.
"""

from collections.abc import Sequence
from datetime import datetime

from warehouse.errors import WarehouseError
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.serving.release_log import Publication, Release

_SERVED_SCHEMAS = ("staging", "splits", "fitted", "features", "training", "timeseries", "attributes")
"""The schemas that searches, lookups and models are derived from."""


def target(releases: Sequence[Release], to: int | None = None) -> Release:
    """Return the target release of a rollback: number `to`, by default the release that was live before the live release.

    Repeated rollbacks go back step by step. A rollback as the target stands for the release that it restored.

    Args:
        releases: All releases, oldest first.
        to: The number of a release.

    Raises:
        WarehouseError: There is no such release, none before the live one, or the target is live already.
    """
    if not releases:
        raise WarehouseError("there is no release", "publish a release with: stockroom build --raw DIR")
    live = origin(releases, releases[-1])
    if to is None:
        earlier = [each for each in releases if each.release < live.release and each.shows != live.shows]
        if not earlier:
            raise WarehouseError(
                f"no other release was live before release {live.release}",
                "choose a release: stockroom rollback N; list the releases with: stockroom releases",
            )
        return origin(releases, earlier[-1])
    matches = [each for each in releases if each.release == to]
    if not matches:
        raise WarehouseError(
            f"release {to} does not exist",
            f"choose a release from 1 to {releases[-1].release}; list the releases with: stockroom releases",
        )
    if matches[0].serves_as(live):
        raise WarehouseError(
            f"searches use release {to} already", "choose another release; list the releases with: stockroom releases"
        )
    return origin(releases, matches[0])


def origin(releases: Sequence[Release], release: Release) -> Release:
    """Return the release that a rollback restored; for any other kind, the release itself."""
    if release.kind != "rollback":
        return release
    return next(
        each
        for each in reversed(releases)
        if each.release < release.release and each.kind != "rollback" and each.serves_as(release)
    )


def demoted_by(releases: Sequence[Release], model_id: str) -> Release | None:
    """Return the rollback that replaced a live model; None if the model was never live, or became live again later."""
    last = next((place for place in reversed(range(len(releases))) if releases[place].model_id == model_id), None)
    if last is None or last + 1 == len(releases) or releases[last + 1].kind != "rollback":
        return None
    return releases[last + 1]


def hold_reason(home: Home, model_id: str) -> str | None:
    """Return the reason why a rollback blocks the publication of a model on the current lake; None if no rollback does.

    A rollback that kept the model blocks every model while the lake is unchanged. One that changed the model blocks only
    the restored model.
    """
    releases = home.releases.all()
    if not releases or releases[-1].kind != "rollback":
        return None
    live, previous = releases[-1], releases[-2]
    if model_id != live.model_id != previous.model_id:
        return None
    served = [
        checkpoint.snapshot
        for checkpoint in checkpoints.list_checkpoints(home.lake)
        if checkpoint.ended_at <= live.published_at
    ]
    if has_served_changes(home, served[-1] if served else 0):
        return None
    return (
        f"release {live.release} stays live: it is a rollback from release {previous.release} ({live.note}), and catalog, "
        "judgements and time-series features have not changed since; end the rollback with stockroom build --force or "
        "stockroom rollback N"
    )


def has_served_changes(home: Home, since: int) -> bool:
    """Tell whether a table that searches, lookups and models are derived from changed after a snapshot."""
    changed_tables = checkpoints.changed_tables(home.lake, since)
    return any(table.split(".")[0] in _SERVED_SCHEMAS or table == "registry.feature_views" for table in changed_tables)


def unservable_reason(home: Home, release: Release) -> str | None:
    """Return which part of a release was deleted, so that searches cannot use it; None if the release is complete.

    The contents of the model's directory are not checked.
    """
    if not home.vectors.has(release.vector_table, release.vector_version):
        return f"version {release.vector_version} of its vectors {release.vector_table} is gone"
    if not checkpoints.is_readable(home.lake, release.snapshot):
        return f"the lake's snapshot {release.snapshot} is gone"
    if not (home.models / release.model_id).is_dir():
        return f"its model {release.model_id} is gone"
    if release.text_version and not home.texts.has(release.text_version):
        return f"version {release.text_version} of its text index is gone"
    if release.ranker_id and not (home.rankers / release.ranker_id).is_dir():
        return f"its ranker {release.ranker_id} is gone"
    return None


def roll_back(home: Home, to: Release, now: datetime) -> Publication:
    """Make an earlier release live again, with its features, as a new release.

    The caller holds the run lock, and has checked that the release can answer.
    """
    releases = home.releases.all()
    # Never earlier than the replaced release or a checkpoint: its time tells which checkpoints existed.
    times = [
        releases[-1].published_at,
        *(checkpoint.ended_at for checkpoint in checkpoints.list_checkpoints(home.lake)),
    ]
    home.online.restore(home.lake, to.snapshot, [each.snapshot for each in releases])
    return home.releases.roll_back(to.release, published_at=max(now, *times))
