"""Retention: the releases, vectors and checkpoints that a vacuum must keep."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.serving.release_log import Release
from warehouse.settings import VacuumSettings


@dataclass(frozen=True)
class Retained:
    """Name the data that a vacuum keeps.

    Attributes:
        releases: The live release and the possible targets of a rollback, oldest first.
        vectors: By vector table, the versions that those releases name.
        texts: The versions of the text index that those releases name.
        rankers: The rankers that those releases name.
        checkpoints: The checkpoints that stay: those of the releases and the models, the newest, and the young ones.
        expired: The snapshots of the lake that nothing needs: older checkpoints, and snapshots between two checkpoints.
    """

    releases: list[Release]
    vectors: dict[str, set[int]]
    texts: set[int]
    rankers: set[str]
    checkpoints: list[int]
    expired: list[int]


def retained(home: Home, settings: VacuumSettings, now: datetime, made_from: Sequence[int] = ()) -> Retained:
    """Decide which data a vacuum keeps.

    Args:
        home: The home.
        settings: The counts and ages to keep.
        now: The reference time of ages.
        made_from: The snapshots that the home's models were trained on. The first checkpoint at or after each stays, so that
            the model can be reproduced.
    """
    young = now - timedelta(hours=settings.keep_hours)
    releases = _releases(home.releases.all(), settings.keep_releases, young)
    vectors: dict[str, set[int]] = {}
    for release in releases:
        vectors.setdefault(release.vector_table, set()).add(release.vector_version)
    existing = checkpoints.list_checkpoints(home.lake)
    needed_snapshots = {release.snapshot for release in releases}
    needed_snapshots |= {checkpoint.snapshot for checkpoint in existing[-settings.keep_checkpoints :]}
    needed_snapshots |= {checkpoint.snapshot for checkpoint in existing if checkpoint.ended_at >= young}
    # A rollback stays until the lake differs from the checkpoint at its publication.
    for release in releases[-1:]:
        needed_snapshots |= {
            checkpoint.snapshot
            for checkpoint in [each for each in existing if each.ended_at <= release.published_at][-1:]
        }
    for snapshot in made_from:
        needed_snapshots |= {
            checkpoint.snapshot for checkpoint in [each for each in existing if each.snapshot >= snapshot][:1]
        }
    newest = existing[-1].snapshot if existing else 0
    return Retained(
        releases=releases,
        vectors=vectors,
        texts={release.text_version for release in releases},
        rankers={release.ranker_id for release in releases},
        checkpoints=[checkpoint.snapshot for checkpoint in existing if checkpoint.snapshot in needed_snapshots],
        expired=[each for each in checkpoints.snapshots(home.lake) if each < newest and each not in needed_snapshots],
    )


def _releases(releases: Sequence[Release], count: int, young: datetime) -> list[Release]:
    """Return the newest `count` releases of distinct content and all young ones, oldest first."""
    newest_by_content: dict[tuple[object, ...], Release] = {}
    for release in reversed(releases):
        newest_by_content.setdefault(release.shows, release)
    newest = list(newest_by_content.values())[:count]
    return [release for release in releases if release in newest or release.published_at >= young]
