"""The release log: one row per release names a model, its vectors and the lake snapshot behind them."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from warehouse.errors import WarehouseError, first_line
from warehouse.vectors.lance_tables import LanceDirectory, key_field, merge
from warehouse.vectors.text_index import TextIndex

Kind = Literal["model", "catalog", "rollback"]
_TABLE = "releases"
SCHEMA = pa.schema(
    [
        key_field("release", pa.int64()),
        pa.field("published_at", pa.timestamp("us", tz="UTC")),
        pa.field("kind", pa.string()),
        pa.field("model_id", pa.string()),
        pa.field("encoder_fingerprint", pa.string()),
        pa.field("vector_table", pa.string()),
        pa.field("vector_version", pa.int64()),
        pa.field("snapshot", pa.int64()),
        pa.field("metrics", pa.string()),
        pa.field("note", pa.string()),
        pa.field("ranker_id", pa.string()),
        pa.field("text_version", pa.int64()),
        pa.field("rules", pa.int64()),
    ]
)
"""The columns of the table of releases."""

_ADDED = {"ranker_id": "''", "text_version": "cast(0 as bigint)", "rules": "cast(0 as bigint)"}
"""The value, in SQL, of the columns that earlier releases lack."""


@dataclass(frozen=True)
class Release:
    """Name exactly the data that one release serves.

    Attributes:
        release: Number from 1 on, without gaps; the highest is live.
        published_at: When it was published, UTC.
        kind: `model` for a new model, `catalog` for other products with the same model, `rollback` for an earlier release.
        model_id: The model; its query side answers together with these vectors.
        encoder_fingerprint: The text encoder that the model was trained on.
        vector_table: The table with the product vectors, relative to the directory.
        vector_version: That table's version.
        snapshot: The lake's snapshot that the vectors were computed from.
        metrics: The metrics at publication, as JSON.
        note: The reason, in words.
        ranker_id: The ranker that orders the candidates; empty: searches order by the vectors alone.
        text_version: The version of the text index; 0 if there is none.
        rules: The number of search rules in the snapshot; a searcher reads them only if there are any.
    """

    release: int
    published_at: datetime
    kind: Kind
    model_id: str
    encoder_fingerprint: str
    vector_table: str
    vector_version: int
    snapshot: int
    metrics: str
    note: str
    ranker_id: str = ""
    text_version: int = 0
    rules: int = 0

    def serves_as(self, other: "Release") -> bool:
        """Tell whether two releases are the same for searches: same model, vectors, ranker, text index and snapshot."""
        return self._served == other._served

    @property
    def shows(self) -> tuple[str, str, str, int]:
        """Return the identity of a release's content.

        The vectors of one model and snapshot are the same in every version of its table, whatever the file layout.
        """
        return self.model_id, self.ranker_id, self.vector_table, self.snapshot

    @property
    def _served(self) -> tuple[object, ...]:
        return (*self.shows, self.vector_version, self.text_version)

    @property
    def tag(self) -> str:
        """Return the tag that protects the vector table's version from cleanup.

        The tag includes the version, so that the loser of a race for a release number moves no other tag.
        """
        return f"release-{self.release}-v{self.vector_version}"

    @property
    def text_tag(self) -> str:
        """Return the tag that protects the text index's version from cleanup."""
        return f"release-{self.release}-v{self.text_version}"


@dataclass(frozen=True)
class Publication:
    """Hold the live release after publishing, and whether it is a new one."""

    release: Release
    is_new: bool


class Releases:
    """Keep the releases in an append-only Lance table next to the vectors. The commit of a release is its row."""

    def __init__(self, root: Path) -> None:
        self._directory = LanceDirectory(root)
        self._texts = TextIndex(root)
        self._read: tuple[int, list[Release]] = 0, []  # the table's version and content

    def all(self) -> list[Release]:
        """Return every release, oldest first."""
        table = self._directory.open(_TABLE)
        if table is None:
            return []
        version = int(table.version)
        if self._read[0] != version:
            rows = table.to_arrow().to_pylist()
            releases = [Release(**{**row, "published_at": row["published_at"].astimezone(UTC)}) for row in rows]
            self._read = version, sorted(releases, key=lambda release: release.release)
        return list(self._read[1])

    def stamp(self) -> int:
        """Return a number that changes with every publication, without opening the table; 0 before the first."""
        try:
            return (self._directory.root / f"{_TABLE}.lance" / "_versions").stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def live(self) -> Release | None:
        """Return the newest release, or None before the first."""
        releases = self.all()
        return releases[-1] if releases else None

    def require(self) -> Release:
        """Return the live release.

        Raises:
            WarehouseError: There is no release yet.
        """
        live = self.live()
        if live is None:
            raise WarehouseError(
                f"no release in {self._directory.root.parent}", "publish a release with: stockroom build --raw DIR"
            )
        return live

    def get(self, release: int) -> Release:
        """Return one release by number."""
        for each in self.all():
            if each.release == release:
                return each
        raise WarehouseError(f"release {release} does not exist", "list the releases with: stockroom releases")

    def publish(
        self,
        *,
        kind: Kind,
        model_id: str,
        encoder_fingerprint: str,
        vector_table: str,
        vector_version: int,
        snapshot: int,
        published_at: datetime,
        metrics: str = "{}",
        note: str = "",
        ranker_id: str = "",
        text_version: int = 0,
        rules: int = 0,
    ) -> Publication:
        """Make a model and a version of its vectors live; write nothing if the live release serves the same.

        Raises:
            WarehouseError: The vectors have no such version, or another run published concurrently.
        """
        challenger = Release(
            release=0,
            published_at=published_at.astimezone(UTC),
            kind=kind,
            model_id=model_id,
            encoder_fingerprint=encoder_fingerprint,
            vector_table=vector_table,
            vector_version=vector_version,
            snapshot=snapshot,
            metrics=metrics,
            note=note,
            ranker_id=ranker_id,
            text_version=text_version,
            rules=rules,
        )
        live = self.live()
        if live is not None and live.serves_as(challenger):
            return Publication(live, is_new=False)
        release = replace(challenger, release=live.release + 1 if live else 1)
        self.pin(release)
        self.append(release)
        return Publication(release, is_new=True)

    def roll_back(self, to: int, *, published_at: datetime, note: str = "") -> Publication:
        """Make an earlier release live again, as a new release."""
        earlier = self.get(to)
        return self.publish(
            kind="rollback",
            model_id=earlier.model_id,
            encoder_fingerprint=earlier.encoder_fingerprint,
            vector_table=earlier.vector_table,
            vector_version=earlier.vector_version,
            snapshot=earlier.snapshot,
            published_at=published_at,
            metrics=earlier.metrics,
            note=note or f"back to release {to}",
            ranker_id=earlier.ranker_id,
            text_version=earlier.text_version,
            rules=earlier.rules,
        )

    def vectors_since(self, vector_table: str, version: int) -> int:
        """Return the first version with the same rows as this one; it is older if files were merely compacted since."""
        for each in self.all():
            if (each.vector_table, each.vector_version) == (vector_table, version):
                return int(json.loads(each.metrics).get("vectors_since", version))
        return version

    def pin(self, release: Release) -> None:
        """Tag the release's vectors and text index. May be repeated, since a run killed before `append` leaves only the tags."""
        table = self._directory.open(release.vector_table)
        if table is None:
            raise WarehouseError(
                f"the vector table {release.vector_table} does not exist", "create the table with: stockroom build"
            )
        try:
            if release.tag not in table.tags.list():
                table.tags.create(release.tag, release.vector_version)
        except RuntimeError as error:
            raise WarehouseError(
                f"the table {release.vector_table} has no version {release.vector_version} to publish: {first_line(error)}",
                "publish the current version with: stockroom build",
            ) from error
        if release.text_version:
            try:
                self._texts.pin(release.text_version, release.text_tag)
            except RuntimeError as error:
                raise WarehouseError(
                    f"the text index has no version {release.text_version} to publish: {first_line(error)}",
                    "publish the current version with: stockroom build",
                ) from error

    def append(self, release: Release) -> None:
        """Append the release's row, which makes it live."""
        rows = pa.Table.from_pylist([asdict(release)], schema=SCHEMA)
        if not merge(self._table(), rows, on="release", update=False):
            raise WarehouseError(
                f"another run published release {release.release} at the same moment",
                "run the same command again: the run continues from there",
            )

    def _table(self) -> Any:
        """Return the table, with the columns that an earlier version of Stockroom did not have."""
        table = self._directory.open(_TABLE)
        if table is not None:
            missing = {name: value for name, value in _ADDED.items() if name not in table.schema.names}
            if missing:
                table.add_columns(missing)
        return self._directory.create(_TABLE, SCHEMA)
