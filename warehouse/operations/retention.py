"""Retention: what housekeeping must keep, told from the releases, the as-of points and the models that are there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.serving.release_log import Release
from warehouse.settings import VacuumSettings


@dataclass(frozen=True)
class Retained:
    """Say what stays.

    Attributes:
        releases: The releases that searches can answer with and that can be gone back to, oldest first.
        vectors: For each vector table the versions that those releases name.
        points: The as-of points that stay: those of the releases and of the models, the newest, and the young ones.
        expired: The lake's snapshots that nothing needs: as-of points of earlier, and what lies between two points.
    """

    releases: list[Release]
    vectors: dict[str, set[int]]
    points: list[int]
    expired: list[int]


def retained(home: Home, settings: VacuumSettings, now: datetime, made_from: Sequence[int] = ()) -> Retained:
    """Decide what stays.

    Args:
        home: The home.
        settings: How much is kept, and how long.
        now: What ages are counted up to.
        made_from: The snapshots that the home's models were made from. The first as-of point at or after each stays, so that
            the model can be made again.
    """
    young = now - timedelta(hours=settings.keep_hours)
    releases = _releases(home.releases.all(), settings.keep_releases, young)
    vectors: dict[str, set[int]] = {}
    for release in releases:
        vectors.setdefault(release.vector_table, set()).add(release.vector_version)
    points = checkpoints.points(home.lake)
    needed_snapshots = {release.snapshot for release in releases}
    needed_snapshots |= {point.snapshot for point in points[-settings.keep_points :]}
    needed_snapshots |= {point.snapshot for point in points if point.ended_at >= young}
    # What the lake was when the live release was published tells how long a rollback stays.
    for release in releases[-1:]:
        needed_snapshots |= {
            point.snapshot for point in [each for each in points if each.ended_at <= release.published_at][-1:]
        }
    for snapshot in made_from:
        needed_snapshots |= {point.snapshot for point in [each for each in points if each.snapshot >= snapshot][:1]}
    newest = points[-1].snapshot if points else 0
    return Retained(
        releases=releases,
        vectors=vectors,
        points=[point.snapshot for point in points if point.snapshot in needed_snapshots],
        expired=[each for each in checkpoints.snapshots(home.lake) if each < newest and each not in needed_snapshots],
    )


def _releases(releases: Sequence[Release], count: int, young: datetime) -> list[Release]:
    """Return the newest releases, of those that show the same the newest, and all that are young; oldest first."""
    newest_by_content: dict[tuple[str, str, int], Release] = {}
    for release in reversed(releases):
        newest_by_content.setdefault(release.shows, release)
    newest = list(newest_by_content.values())[:count]
    return [release for release in releases if release in newest or release.published_at >= young]
