"""The text index: the words of every product in a Lance table, with a full-text index of the title's and of the body's words.

The words are made beforehand (`warehouse.transform.words`), so that one splitting serves catalog, queries, evaluation and search,
and any language. Lance finds the candidates, including rows outside the index; the ranker scores them by its own word weights.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from warehouse.errors import WarehouseError
from warehouse.vectors import kept_rows
from warehouse.vectors.index_status import MOST_FILES, IndexStatus, join_files, status_of
from warehouse.vectors.kept_rows import ROW_ID, KeptRows
from warehouse.vectors.kept_versions import KeptVersions
from warehouse.vectors.lance_tables import (
    KEY,
    LanceDirectory,
    at_version,
    check_schema,
    delete_keys,
    has_same_rows,
    index_columns,
    key_field,
    merge,
    prunable,
    prune,
    run_coroutine,
    sampled_offsets,
    scan,
    versions,
)

TABLE = "texts_1"  # the number is raised when the columns change: a table of other columns cannot be written
COLUMNS = (KEY, "product_id", "locale", "title", "brand", "color", "title_words", "body_words", "amounts", "input_hash")
INDEXED = {"title_words": 1.0, "body_words": 0.3}
"""The columns with a full-text index, and the factor of their score."""

_SCHEMA = pa.schema([key_field(KEY, pa.string()), *(pa.field(name, pa.string()) for name in COLUMNS[1:])])
_COMMIT_ROWS = 65_536
_PINNED = 4
_KEPT = 2  # versions: the live release's, and the next one's while a server moves to it
_AT_ONCE = 32  # queries
_FEW_KEYS = 5_000  # in one filter
_DEPTH = 2  # products of each column for one of the result: of a result of 100, 98 are those of an exhaustive search
_MOST_WORDS = 64  # of a query: a page of text would make a search slow, and the first words say what is wanted


FLAT_ROWS = 2_000
"""Maximum rows outside the index, which a search scans; half as many cost a fifth of a text leg over 100,000 products."""


def is_behind(status: IndexStatus) -> bool:
    """Tell whether so many rows are outside the index that the text leg is noticeably slower."""
    return not status.indexed or status.unindexed_rows > FLAT_ROWS


class TextWrite(NamedTuple):
    """Count the rows of a write; `version` is the table's newest version afterwards, 0 if there is no table."""

    version: int
    upserted: int
    deleted: int


class TextIndex:
    """Keep the words of the catalog's products, one row per product, written by key and searched at exact versions."""

    def __init__(self, root: Path) -> None:
        self._directory = LanceDirectory(root)
        self._pinned: KeptVersions[int, tuple[Any, Any]] = KeptVersions(_PINNED)
        self._kept: KeptVersions[int, KeptRows] = KeptVersions(_KEPT)

    def current(self, keys: pl.DataFrame | None = None, *, version: int | None = None) -> pl.DataFrame:
        """Return `key` and `input_hash` of a version's rows (default: the newest), or of those with `keys`."""
        table = self._directory.open(TABLE) if version is None else self._pin(version)[0]
        if table is None or (keys is not None and keys.is_empty()):
            return pl.DataFrame(schema={KEY: pl.String, "input_hash": pl.String})
        rows = pl.DataFrame(scan(table, [KEY, "input_hash"], among=None if keys is None else keys[KEY].to_list()))
        return rows if keys is None else rows.join(keys, on=KEY, how="semi")

    def apply(self, upserts: Iterable[pl.DataFrame], deletes: Sequence[str]) -> TextWrite:
        """Delete rows by key, then upsert rows by key; write no version where nothing changes.

        The rows are found at once, outside the index, which only the first write makes.

        Args:
            upserts: Batches of the columns.
            deletes: Keys to delete; unknown ones are ignored.
        """
        table, upserted, deleted = self._directory.open(TABLE), 0, 0
        if table is not None:
            check_schema(table, _SCHEMA)
            deleted = delete_keys(table, deletes)
        for rows in upserts:
            for part in rows.select(COLUMNS).iter_slices(_COMMIT_ROWS):
                table = self._directory.create(TABLE, _SCHEMA) if table is None else table
                upserted += merge(table, part.to_arrow().cast(_SCHEMA))
        if table is None:
            return TextWrite(0, 0, 0)
        if not status_of(table, INDEXED).indexed:
            _make_index(table)
        return TextWrite(self.version(), upserted, deleted)

    def refresh_index(self, *, most_files: int = MOST_FILES, outside: int = 0) -> int:
        """Rebuild the indexes if rows are outside, and join files if they are many; return the newest version.

        Searches of other versions and writers of rows go on meanwhile: rows that are written then are outside.

        Args:
            most_files: File count above which files are joined.
            outside: Number of rows that may stay outside.
        """
        table = self._open()
        if status_of(table, INDEXED).files > most_files:
            join_files(table)
        status = status_of(table, INDEXED)
        if not status.indexed or status.unindexed_rows > outside or status.segments > 1:
            _make_index(table)
        return self.version()

    def index_status(self, version: int | None = None) -> IndexStatus:
        """Return the row count and the index coverage of a version (default: the newest)."""
        return status_of(self._open() if version is None else self._pin(version)[0], INDEXED)

    def search(
        self,
        version: int,
        words: Sequence[str],
        k: int,
        locale: str | None = None,
        among: Collection[str] | None = None,
    ) -> pl.DataFrame:
        """Return the `k` products of a version that match the words best: the columns, without the input hash, best first.

        With `among`, only products with these keys are found.
        """
        if not words:
            return pl.DataFrame(schema=dict.fromkeys(COLUMNS[:-1], pl.String))
        limit = k
        if among is None or len(among) <= _FEW_KEYS:
            return self._best(version, words, k, locale, among)
        while True:
            limit *= 4
            hits = self._best(version, words, limit, locale)
            selected = hits.filter(pl.col(KEY).is_in(set(among)))
            if selected.height >= k or hits.height < limit:
                return selected.head(k)

    def open(self, version: int) -> KeptRows | None:
        """Read the rows of a version into memory, from which searches of it then take them; None if they are too many.

        At most `kept_rows.MOST_ROWS` rows are read.
        """
        table = self._pin(version)[0]
        if table.count_rows() > kept_rows.MOST_ROWS:
            return None
        return self._kept.of(version, lambda: KeptRows(pl.DataFrame(scan(table, COLUMNS[:-1], row_id=True))))

    def search_all(self, version: int, queries: Sequence[tuple[Sequence[str], str]], k: int) -> list[list[str]]:
        """Return the keys that `search` finds for the words and the locale of each query."""
        table = self._pin(version)[1]

        async def search(part: Sequence[tuple[Sequence[str], str]]) -> list[Any]:
            return await asyncio.gather(*(_found(table, words, k, locale, [KEY]) for words, locale in part if words))

        keys: list[list[str]] = []
        for start in range(0, len(queries), _AT_ONCE):
            part = queries[start : start + _AT_ONCE]
            hits = iter(run_coroutine(search(part)))
            keys += [next(hits)[KEY].to_list() if words else [] for words, _ in part]
        return keys

    def rows(self, version: int, keys: Sequence[str]) -> pl.DataFrame:
        """Return the columns, without the input hash, of the products with these keys, in no particular order."""
        from lancedb.expr import col, lit

        kept = self._kept.get(version)
        if kept is not None:
            return kept.by_key(keys)
        if not keys:
            return pl.DataFrame(schema=dict.fromkeys(COLUMNS[:-1], pl.String))
        builder = self._pin(version)[1].query().where(col(KEY).isin([lit(key) for key in keys]))
        return pl.DataFrame(run_coroutine(builder.select(list(COLUMNS[:-1])).limit(len(keys)).to_arrow()))

    def read(self, version: int) -> pl.DataFrame:
        """Return the columns, without the input hash, of every row of a version, sorted by key."""
        return pl.DataFrame(scan(self._pin(version)[0], COLUMNS[:-1])).sort(KEY)

    def sample(self, version: int, rows: int, seed: int) -> pl.DataFrame:
        """Return a sample of rows, without the input hash: half of them the latest written, the others drawn by `seed`."""
        table = self._pin(version)[0]
        offsets = sampled_offsets(int(table.count_rows()), rows, seed)
        if not offsets:
            return pl.DataFrame(schema=dict.fromkeys(COLUMNS[:-1], pl.String))
        return pl.DataFrame(table.take_offsets(offsets).select(list(COLUMNS[:-1])).to_arrow())

    def version(self) -> int:
        """Return the table's newest version; 0 if there is no table."""
        table = self._directory.open(TABLE)
        return 0 if table is None else int(table.version)

    def count(self, version: int) -> int:
        """Return the number of rows of a version."""
        return int(self._pin(version)[0].count_rows())

    def has_same_rows(self, one: int, other: int) -> bool:
        """Tell whether two versions exist and have the same keys with the same input hashes."""
        if one == other:
            return True
        pinned = [self._pin(version)[0] for version in (one, other) if self.has(version)]
        return len(pinned) == 2 and has_same_rows(*pinned)

    def has(self, version: int) -> bool:
        """Tell whether a version exists with its index, so that a search can use it."""
        try:
            table, _ = self._pin(version)
        except WarehouseError:
            return False
        return status_of(table, INDEXED).indexed

    def pin(self, version: int, tag: str) -> None:
        """Tag a version, which protects it from cleanup; may be repeated."""
        table = self._open()
        if tag not in table.tags.list():
            table.tags.create(tag, version)

    def prunable(self, keep: Collection[int], before: datetime) -> int:
        """Return the number of versions that `prune` would remove."""
        table = self._directory.open(TABLE)
        return 0 if table is None else len(prunable(versions(table), keep, before))

    def prune(self, keep: Collection[int], before: datetime) -> int:
        """Remove the versions older than both the oldest to keep and a time; return their number."""
        table = self._directory.open(TABLE)
        if table is None:
            return 0
        for tag, reference in table.tags.list().items():
            if reference["version"] not in keep:
                table.tags.delete(tag)
        self._pinned.forget()
        self._kept.forget()
        return prune(table, keep, before)

    def _best(
        self,
        version: int,
        words: Sequence[str],
        k: int,
        locale: str | None,
        among: Collection[str] | None = None,
    ) -> pl.DataFrame:
        table, kept = self._pin(version)[1], self._kept.get(version)
        if kept is None:
            return run_coroutine(_found(table, words, k, locale, COLUMNS[:-1], among))
        scores = run_coroutine(_scores(table, words, k, locale, among))
        return _ranked(kept.by_id(list(scores)), scores, k, COLUMNS[:-1])

    def _open(self) -> Any:
        table = self._directory.open(TABLE)
        if table is None:
            raise WarehouseError("the text index does not exist", "create the index with: stockroom build")
        return table

    def _pin(self, version: int) -> tuple[Any, Any]:
        def pin() -> tuple[Any, Any]:
            return at_version(self._open(), version), self._directory.open_version(TABLE, version)

        return self._pinned.of(version, pin)


async def _found(
    table: Any,
    words: Sequence[str],
    k: int,
    locale: str | None,
    columns: Sequence[str],
    among: Collection[str] | None = None,
) -> pl.DataFrame:
    """Return the `k` best products, best first."""
    scores = await _scores(table, words, k, locale, among)
    taken = await table.take_row_ids(list(scores)).select(list(columns)).with_row_id().to_arrow()
    return _ranked(pl.DataFrame(taken), scores, k, columns)


async def _scores(
    table: Any, words: Sequence[str], k: int, locale: str | None, among: Collection[str] | None
) -> dict[int, float]:
    """Return the scores of the `k` best products, and of all that tie with the last, by address.

    Each indexed column is queried apart, for more than `k` products, and the scores are added here. Lance's query of several
    columns would score every match of the catalog as soon as one row is outside the index. That takes a hundred milliseconds.
    """
    from lancedb.expr import col, lit
    from lancedb.query import MatchQuery

    text = " ".join(list(dict.fromkeys(words))[:_MOST_WORDS])

    def matches(column: str) -> Any:
        builder = table.query().nearest_to_text(MatchQuery(text, column)).with_row_id()
        if among is not None:
            builder = builder.where(col(KEY).isin([lit(key) for key in among]))
        elif locale is not None:
            builder = builder.where(col("locale") == lit(locale))
        return builder.select(["_score"]).limit(_DEPTH * k).to_arrow()

    scores: dict[int, float] = {}
    for factor, rows in zip(INDEXED.values(), await asyncio.gather(*map(matches, INDEXED)), strict=True):
        for row, score in zip(rows[ROW_ID].to_pylist(), rows["_score"].to_pylist(), strict=True):
            scores[row] = scores.get(row, 0.0) + factor * score
    least = sorted(scores.values(), reverse=True)[:k][-1] if scores else 0.0
    return {row: score for row, score in scores.items() if score >= least}


def _ranked(rows: pl.DataFrame, scores: dict[int, float], k: int, columns: Sequence[str]) -> pl.DataFrame:
    """Return the `k` best rows, best first; ties go by key."""
    scored = rows.with_columns(_score=pl.Series([scores[row] for row in rows[ROW_ID]], dtype=pl.Float64))
    return scored.sort("_score", KEY, descending=[True, False]).head(k).select(columns)


def _make_index(table: Any) -> None:
    """Rebuild the indexes of words, keys and locales."""
    from lancedb.index import FTS

    index_columns(table)
    for column in INDEXED:
        table.create_index(
            column,
            config=FTS(
                base_tokenizer="whitespace",
                lower_case=False,
                stem=False,
                remove_stop_words=False,
                ascii_folding=False,
                max_token_length=None,
            ),
        )
