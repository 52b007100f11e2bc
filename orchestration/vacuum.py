"""The cleaner: what no kept release, as-of point or model needs is taken out of a home, step by step."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from models.encoder.text_template import product_text, query_text
from models.towers.checkpoint_files import MANIFEST_FILE, read_manifest
from orchestration.instance.locks import run_lock
from warehouse.features import datasets
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.lake.incremental import sources_of
from warehouse.operations.retention import Retained, retained
from warehouse.serving.release_log import Release
from warehouse.settings import VacuumSettings
from warehouse.vectors.embedding_cache import text_hash

_NOTE = "housekeeping: the vectors of release {}, in fewer files"


@dataclass(frozen=True)
class VacuumReport:
    """Tell what was taken out of a home, or with `dry_run` what would be.

    Attributes:
        dry_run: Whether nothing was touched.
        releases: The numbers of the releases that can be gone back to.
        points: The as-of points that stay.
        snapshots_expired: Snapshots of the lake that went: as-of points of earlier, and what lay between two points.
        lake_files: Files of the lake that went; not known of a dry run.
        vector_tables: Vector tables that no kept release names, as those of refused models, which went.
        vector_versions: Versions of other vector tables that went.
        rows_indexed: Rows that lay outside the live vector index, which was made anew.
        encoders: Encoders that no model stands on, whose cached embeddings went.
        embeddings: Cached embeddings of texts that nothing has any more, which went.
        runs: Old runs of which the run log told, and tells no more.
        online_rows: Looked-up rows that no kept release shows, which went.
        release: The release that is live; a new one where joining files gave its vectors a new version.
        bytes_before: What lake, vectors and looked-up rows took on disk before, in bytes.
        bytes_after: And after.
    """

    dry_run: bool
    releases: list[int]
    points: list[int]
    snapshots_expired: list[int]
    lake_files: int
    vector_tables: list[str]
    vector_versions: int
    rows_indexed: int
    encoders: list[str]
    embeddings: int
    runs: int
    online_rows: int
    release: int | None
    bytes_before: int
    bytes_after: int


def vacuum(home: Home, settings: VacuumSettings, encoder: str, *, dry_run: bool = False) -> VacuumReport:
    """Clean a home, waiting for the run that holds it.

    Each step leaves the home whole, and goes by what is there: a killed vacuum is gone on with by the next.

    Args:
        home: The home.
        settings: What is kept, and how long.
        encoder: The fingerprint of the encoder that the settings choose: its cache stays.
        dry_run: Tell what would go, and touch nothing.
    """
    home.lake.require()
    with run_lock(home):
        return vacuum_locked(home, settings, encoder, dry_run=dry_run)


def vacuum_locked(home: Home, settings: VacuumSettings, encoder: str, *, dry_run: bool = False) -> VacuumReport:
    """Clean a home whose run lock the caller holds."""
    now, before = datetime.now(UTC), _size(home)
    grace = now - timedelta(hours=settings.grace_hours)
    manifests = _manifests(home)
    stays = retained(home, settings, now, [manifest["metadata"]["snapshot"] for manifest in manifests])
    tables = _unused_tables(home, stays, now - timedelta(hours=settings.keep_hours))
    vector_versions, rows_indexed = 0, _unindexed_rows(home)
    for name in home.vectors.names():
        keep = stays.vectors.get(name, set())
        if name in tables:
            if not dry_run:
                home.vectors.drop(name)
        elif dry_run:
            vector_versions += home.vectors.prunable(name, keep, grace)
        else:
            vector_versions += _prune(home, name, keep, grace, now)
    encoders = sorted(set(home.embeddings.encoders()) - {encoder, *(each["metadata"]["encoder"] for each in manifests)})
    embeddings = 0
    used = _texts(home, stays)
    for fingerprint in home.embeddings.encoders():
        if fingerprint in encoders:
            if not dry_run:
                home.embeddings.forget(fingerprint)
            continue
        unused = home.embeddings.unused(fingerprint, used)
        embeddings += len(unused)
        if not dry_run:
            home.embeddings.prune(fingerprint, unused, grace)
    online_rows = home.online.forget({each.snapshot for each in stays.releases}, dry_run=dry_run)
    newest = [point.run_id for point in checkpoints.points(home.lake)[-1:]]  # whether it ended is asked of the log
    runs = home.journal.prune(settings.keep_runs, newest, dry_run=dry_run)
    sources = partial(sources_of, derivations=home.derivations)
    lake_files = 0 if dry_run else checkpoints.expire(home.lake, stays.expired, sources)
    live = home.releases.live()
    return VacuumReport(
        dry_run=dry_run,
        releases=[each.release for each in stays.releases],
        points=stays.points,
        snapshots_expired=stays.expired,
        lake_files=lake_files,
        vector_tables=tables,
        vector_versions=vector_versions,
        rows_indexed=rows_indexed,
        encoders=encoders,
        embeddings=embeddings,
        runs=runs,
        online_rows=online_rows,
        release=live.release if live else None,
        bytes_before=before,
        bytes_after=_size(home),
    )


def _manifests(home: Home) -> list[dict[str, Any]]:
    return [read_manifest(path.parent) for path in sorted(home.models.glob(f"*/{MANIFEST_FILE}"))]


def _unused_tables(home: Home, stays: Retained, young: datetime) -> list[str]:
    """Return the vector tables that no kept release names, unless they were written to a short time ago."""
    return [
        name for name in home.vectors.names() if name not in stays.vectors and home.vectors.written_at(name) < young
    ]


def _unindexed_rows(home: Home) -> int:
    live = home.releases.live()
    status = home.vectors.index_status(live.vector_table) if live is not None else None
    return status.unindexed_rows if status is not None and status.indexed else 0


def _prune(home: Home, name: str, keep: set[int], grace: datetime, now: datetime) -> int:
    """Remove old versions of a vector table; where the live one gets a new version of the same rows, publish that."""
    live, before = home.releases.live(), home.vectors.version(name)
    if live is not None and live.vector_table == name:
        home.vectors.refresh_index(name)
    gone = home.vectors.prune(name, keep, grace)
    after = home.vectors.version(name)
    if live is not None and (live.vector_table, live.vector_version) == (name, before) and after != before:
        _publish_again(home, live, after, now)
    return gone


def _publish_again(home: Home, live: Release, version: int, now: datetime) -> None:
    # What was measured of these rows goes by the version that they came with.
    since = home.releases.vectors_since(live.vector_table, live.vector_version)
    home.releases.publish(
        kind="catalog",
        model_id=live.model_id,
        encoder_fingerprint=live.encoder_fingerprint,
        vector_table=live.vector_table,
        vector_version=version,
        snapshot=live.snapshot,
        published_at=max(now, live.published_at),
        metrics=json.dumps(json.loads(live.metrics) | {"vectors_since": since}),
        note=_NOTE.format(live.release),
    )


def _texts(home: Home, stays: Retained) -> set[str]:
    """Return the hashes of all texts of the lake as it is, and as it was where a release or an as-of point is kept."""
    products, queries = datasets.distinct_texts(home.lake, stays.points)
    used = set(map(text_hash, products.select(product_text()).to_series()))
    used.update(text_hash(query_text(query)) for query in queries["query"])
    return used


def _size(home: Home) -> int:
    folders = (home.lake.root, home.vectors.root)
    files = [path for folder in folders for path in folder.rglob("*")] + list(
        home.root.glob(f"{home.online.path.name}*")
    )
    return sum(_file_size(path) for path in files)


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0
