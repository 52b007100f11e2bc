"""The vacuum: deletes from a home, step by step, the data that no kept release, checkpoint or model needs."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from models.encoder.text_template import product_text, query_text
from models.towers.checkpoint_files import MANIFEST_FILE, read_manifest
from orchestration.instance.locks import run_lock
from warehouse import home_format
from warehouse.features import datasets
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.lake.incremental import sources_of
from warehouse.operations import reindexing
from warehouse.operations.retention import Retained, retained
from warehouse.settings import VacuumSettings
from warehouse.vectors.embedding_cache import text_hash

_NOTE = "housekeeping: release {}, in fewer files"


@dataclass(frozen=True)
class VacuumReport:
    """Report the data that a vacuum deleted from a home, or would delete with `dry_run`.

    Attributes:
        dry_run: Whether nothing was deleted.
        releases: Numbers of the kept releases, which a rollback can restore.
        checkpoints: The kept checkpoints.
        snapshots_expired: Expired snapshots of the lake: older checkpoints, and snapshots between two checkpoints.
        lake_files: Deleted files of the lake; 0 in a dry run, which cannot know it.
        vector_tables: Dropped vector tables: those that no kept release names, such as a refused model's.
        vector_versions: Deleted versions of the other vector tables.
        text_versions: Deleted versions of the text index.
        rankers: Deleted rankers, which no kept release names.
        encoders: Encoders that no model uses; their cached embeddings are deleted.
        embeddings: Deleted cached embeddings of texts that are no longer used.
        runs: Old runs deleted from the run log.
        online_rows: Deleted rows of the online store that no kept release shows.
        release: The live release; a new one if joining files gave its vectors or texts a new version.
        bytes_before: Size of lake, vectors and online store on disk before, in bytes.
        bytes_after: Their size afterwards, in bytes.
    """

    dry_run: bool
    releases: list[int]
    checkpoints: list[int]
    snapshots_expired: list[int]
    lake_files: int
    vector_tables: list[str]
    vector_versions: int
    text_versions: int
    rankers: list[str]
    encoders: list[str]
    embeddings: int
    runs: int
    online_rows: int
    release: int | None
    bytes_before: int
    bytes_after: int


def vacuum(home: Home, settings: VacuumSettings, encoder: str, *, dry_run: bool = False) -> VacuumReport:
    """Vacuum a home, waiting for the run that holds its lock. A dry run waits for none, and writes nothing.

    Each step leaves the home whole and starts from its current state: the next vacuum completes a killed one.

    Args:
        home: The home.
        settings: The data to keep, and how long.
        encoder: Fingerprint of the encoder in the settings; its cache stays.
        dry_run: Report the data that would be deleted, and change nothing.
    """
    home.lake.require()
    with home_format.reading(home.root) if dry_run else run_lock(home):
        return vacuum_locked(home, settings, encoder, dry_run=dry_run)


def vacuum_locked(home: Home, settings: VacuumSettings, encoder: str, *, dry_run: bool = False) -> VacuumReport:
    """Vacuum a home whose run lock the caller holds, except for a dry run."""
    now, before = datetime.now(UTC), _size(home)
    grace = now - timedelta(hours=settings.grace_hours)
    manifests = _manifests(home)
    retention = retained(home, settings, now, [manifest["metadata"]["snapshot"] for manifest in manifests])
    tables = _unused_tables(home, retention, now - timedelta(hours=settings.keep_hours))
    vector_versions = 0
    for name in home.vectors.names():
        keep = retention.vectors.get(name, set())
        if name in tables:
            if not dry_run:
                home.vectors.drop(name)
        elif dry_run:
            vector_versions += home.vectors.prunable(name, keep, grace)
        else:
            with home.index_lock():
                vector_versions += home.vectors.prune(name, keep, grace)
    if dry_run:
        text_versions = home.texts.prunable(retention.texts, grace)
    else:
        with home.index_lock():
            text_versions = home.texts.prune(retention.texts, grace)
        if home.releases.live() is not None:
            reindexing.publish_newest(home, now, _NOTE)
    rankers = _unused_rankers(home, retention, now - timedelta(hours=settings.keep_hours))
    if not dry_run:
        for ranker_id in rankers:
            shutil.rmtree(home.rankers / ranker_id)
    encoders = sorted(set(home.embeddings.encoders()) - {encoder, *(each["metadata"]["encoder"] for each in manifests)})
    embeddings = 0
    used = _texts(home, retention)
    for fingerprint in home.embeddings.encoders():
        if fingerprint in encoders:
            if not dry_run:
                home.embeddings.drop(fingerprint)
            continue
        unused = home.embeddings.unused(fingerprint, used)
        embeddings += len(unused)
        if not dry_run:
            home.embeddings.prune(fingerprint, unused, grace)
    online_rows = home.online.prune({each.snapshot for each in retention.releases}, dry_run=dry_run)
    newest = [
        checkpoint.run_id for checkpoint in checkpoints.list_checkpoints(home.lake)[-1:]
    ]  # the log must still tell whether it ended
    runs = home.journal.prune(settings.keep_runs, newest, dry_run=dry_run)
    sources = partial(sources_of, derivations=home.derivations)
    lake_files = 0 if dry_run else checkpoints.expire(home.lake, retention.expired, sources)
    live = home.releases.live()
    return VacuumReport(
        dry_run=dry_run,
        releases=[each.release for each in retention.releases],
        checkpoints=retention.checkpoints,
        snapshots_expired=retention.expired,
        lake_files=lake_files,
        vector_tables=tables,
        vector_versions=vector_versions,
        text_versions=text_versions,
        rankers=rankers,
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


def _unused_tables(home: Home, retention: Retained, written_before: datetime) -> list[str]:
    """Return the vector tables that no kept release names and that were last written before a time."""
    return [
        name
        for name in home.vectors.names()
        if name not in retention.vectors and home.vectors.written_at(name) < written_before
    ]


def _unused_rankers(home: Home, retention: Retained, trained_before: datetime) -> list[str]:
    """Return the rankers that no kept release names and that were trained before a time."""
    folders = home.rankers.iterdir() if home.rankers.is_dir() else ()
    return sorted(
        folder.name
        for folder in folders
        if folder.name not in retention.rankers and folder.stat().st_mtime < trained_before.timestamp()
    )


def _texts(home: Home, retention: Retained) -> set[str]:
    """Return the hashes of all texts in the lake now and at every kept release or checkpoint."""
    products, queries = datasets.distinct_texts(home.lake, retention.checkpoints)
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
