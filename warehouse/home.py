"""The home: one directory that holds everything, and can be moved and copied."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from warehouse import home_format
from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureView, FeatureViews
from warehouse.declaration.attributes import AttributeView
from warehouse.declaration.source import Sources
from warehouse.file_lock import exclusive_lock
from warehouse.ingest.file_archive import FileArchive
from warehouse.lake import tables
from warehouse.lake.dependencies import Derivation, derivations
from warehouse.lake.lake import Lake
from warehouse.run_log import Journal
from warehouse.serving.online_store import OnlineTable
from warehouse.serving.release_log import Releases
from warehouse.settings import WarehouseSettings
from warehouse.vectors.embedding_cache import EmbeddingCache
from warehouse.vectors.product_vectors import VectorStore
from warehouse.vectors.text_index import TextIndex

_FORMER_ARCHIVE = "arrived"
"""The name of the archive's directory up to format 3."""


@dataclass(frozen=True)
class Home:
    """Open the stores under one directory. Nothing is created before it is written to.

    Raises:
        WarehouseError: A later version has written to the home.
    """

    root: Path
    settings: WarehouseSettings = field(default_factory=WarehouseSettings)
    feature_views: FeatureViews = ()
    sources: Sources = ()

    def __post_init__(self) -> None:
        home_format.require(self.root)

    def upgrade(self) -> None:
        """Upgrade a home of an earlier format to this version's columns and directories. The caller holds the run lock.

        Tables that no run can rebuild are altered, and tables under a former name are dropped; a run rebuilds the others.

        Raises:
            WarehouseError: A value cannot be converted to its column's current type; nothing was changed.
        """
        if home_format.is_current(self.root):
            return
        if self.lake.exists:
            with self.lake.writing() as connection:
                for contract in CONTRACTS.values():
                    if not tables.is_derived(contract.table) and tables.exists(connection, contract.table):
                        tables.ensure(connection, contract)
                for table in tables.REPLACED:
                    if tables.exists(connection, table):
                        connection.execute(f"DROP TABLE {table}")
        former_archive = self.root / _FORMER_ARCHIVE
        if former_archive.is_dir() and not self.archive.root.exists():
            former_archive.rename(self.archive.root)
        home_format.claim(self.root)

    @contextmanager
    def index_lock(self) -> Iterator[None]:
        """Hold the lock of those who make an index or join files: two of them would undo each other's work.

        Who holds it never waits for the run lock; a run that holds the run lock may wait for it.

        Raises:
            WarehouseError: Another process still holds the lock after the time in the settings.
        """
        with exclusive_lock(self.root / "index.lock", self.settings.lock_timeout_s):
            yield

    @cached_property
    def contracts(self) -> dict[str, Contract]:
        """Return the contracts of all tables, including the tables of the feature views that this home declares."""
        return CONTRACTS | {view.table: view.contract for view in self.feature_views}

    @cached_property
    def derivations(self) -> dict[str, Derivation]:
        """Return the derivations of all derived tables, in build order."""
        return derivations(view.table for view in self.feature_views if not view.is_static)

    @cached_property
    def lake(self) -> Lake:
        """Return the DuckLake lake that holds the home's tables."""
        return Lake(self.root / "lake", self.settings)

    @cached_property
    def vectors(self) -> VectorStore:
        """Return the store of product vectors."""
        return VectorStore(self.root / "vectors")

    @cached_property
    def texts(self) -> TextIndex:
        """Return the text index: the words of the catalog's products."""
        return TextIndex(self.root / "vectors")

    @cached_property
    def embeddings(self) -> EmbeddingCache:
        """Return the cache of text embeddings."""
        return EmbeddingCache(self.root / "vectors")

    @cached_property
    def releases(self) -> Releases:
        """Return the release log: every published release, the newest of which is live."""
        return Releases(self.root / "vectors")

    @cached_property
    def online(self) -> OnlineTable:
        """Return the online store: the features of the releases, for lookups by key."""
        return OnlineTable(self.root / "online.sqlite")

    @cached_property
    def journal(self) -> Journal:
        """Return the run log."""
        return Journal(self.root / "runs.jsonl")

    @cached_property
    def archive(self) -> FileArchive:
        """Return the archive of the ingested files, from which a replay starts."""
        return FileArchive(self.root / "archive")

    @property
    def models(self) -> Path:
        """Return the directory of the models, one folder each."""
        return self.root / "models"

    @property
    def encoders(self) -> Path:
        """Return the directory of the exported encoders, one folder per fingerprint."""
        return self.models / "encoders"

    @property
    def rankers(self) -> Path:
        """Return the directory of the rankers, one folder each."""
        return self.root / "rankers"

    @property
    def prepared_sources(self) -> Path:
        """Return the folder that stands for the declared sources: their rows in the form of ESCI's files."""
        return self.root / "sources"

    def view_folder(self, view: FeatureView) -> Path:
        """Return the folder at which the relative path of a feature view's file starts."""
        return self.prepared_sources if isinstance(view, AttributeView) else self.root

    @property
    def incoming(self) -> Path:
        """Return the folder that delta files are dropped into."""
        return self.root / "incoming"

    @property
    def dagster(self) -> Path:
        """Return Dagster's own directory: runs, events, schedules."""
        return self.root / "dagster"
