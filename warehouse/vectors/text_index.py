"""The text index: the words of every product in a Lance table, with a full-text index of the title's and of the body's words.

The words are made beforehand (`warehouse.transform.words`), so that one splitting serves catalog, queries, evaluation and search,
and any language. Lance finds the candidates, including rows outside the index; the ranker scores them by its own word weights.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from warehouse.errors import WarehouseError
from warehouse.vectors.lance_tables import (
    KEEP_ALL_VERSIONS,
    KEY,
    LanceDirectory,
    at_version,
    check_schema,
    delete_keys,
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
_AT_ONCE = 32  # queries
_FEW_KEYS = 5_000  # in one filter
_MOST_FILES = 64
_MOST_WORDS = 64  # of a query: a page of text would make a search slow, and the first words say what is wanted


class TextWrite(NamedTuple):
    """Count the rows of a write; `version` is the table's newest version afterwards, 0 if there is no table."""

    version: int
    upserted: int
    deleted: int


class TextIndex:
    """Keep the words of the catalog's products, one row per product, written by key and searched at exact versions."""

    def __init__(self, root: Path) -> None:
        self._directory = LanceDirectory(root)
        self._pinned: OrderedDict[int, tuple[Any, Any]] = OrderedDict()

    def current(self, keys: pl.DataFrame | None = None) -> pl.DataFrame:
        """Return `key` and `input_hash` of the newest version's rows, or of those with `keys`."""
        table = self._directory.open(TABLE)
        if table is None or (keys is not None and keys.is_empty()):
            return pl.DataFrame(schema={KEY: pl.String, "input_hash": pl.String})
        rows = pl.DataFrame(scan(table, [KEY, "input_hash"], among=None if keys is None else keys[KEY].to_list()))
        return rows if keys is None else rows.join(keys, on=KEY, how="semi")

    def apply(self, upserts: Iterable[pl.DataFrame], deletes: Sequence[str], *, outside: int = 0) -> TextWrite:
        """Delete rows by key, then upsert rows by key, and bring the index up to date; write no version where nothing changes.

        Args:
            upserts: Batches of the columns.
            deletes: Keys to delete; unknown ones are ignored.
            outside: Number of rows that may stay outside the index. A search scans them, 7 ms for 1,000 rows; to take them in
                costs 2 s at 100,000 products, however few they are.
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
        if not self._is_indexed(table) or _unindexed_rows(table) > outside or _is_scattered(table):
            _refresh(table)
        return TextWrite(int(table.version), upserted, deleted)

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
        table, limit = self._pin(version)[1], k
        if among is None or len(among) <= _FEW_KEYS:
            return _ranked(run_coroutine(_found(table, words, k, locale, COLUMNS[:-1], among)))
        while True:
            limit *= 4
            hits = _ranked(run_coroutine(_found(table, words, limit, locale, COLUMNS[:-1])))
            found = hits.filter(pl.col(KEY).is_in(set(among)))
            if found.height >= k or hits.height < limit:
                return found.head(k)

    def search_all(self, version: int, queries: Sequence[tuple[Sequence[str], str]], k: int) -> list[list[str]]:
        """Return the keys that `search` finds for the words and the locale of each query."""
        table = self._pin(version)[1]

        async def search(part: Sequence[tuple[Sequence[str], str]]) -> list[Any]:
            return await asyncio.gather(*(_found(table, words, k, locale, [KEY]) for words, locale in part if words))

        keys: list[list[str]] = []
        for start in range(0, len(queries), _AT_ONCE):
            part = queries[start : start + _AT_ONCE]
            hits = iter(run_coroutine(search(part)))
            keys += [_ranked(next(hits))[KEY].to_list() if words else [] for words, _ in part]
        return keys

    def rows(self, version: int, keys: Sequence[str]) -> pl.DataFrame:
        """Return the columns, without the input hash, of the products with these keys, in no particular order."""
        from lancedb.expr import col, lit

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

    def has(self, version: int) -> bool:
        """Tell whether a version exists with its index, so that a search can use it."""
        try:
            table, _ = self._pin(version)
        except WarehouseError:
            return False
        return self._is_indexed(table)

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
        self._pinned.clear()
        return prune(table, keep, before)

    def _open(self) -> Any:
        table = self._directory.open(TABLE)
        if table is None:
            raise WarehouseError("the text index does not exist", "create the index with: stockroom build")
        return table

    def _pin(self, version: int) -> tuple[Any, Any]:
        if version not in self._pinned:
            self._pinned[version] = (
                at_version(self._open(), version),
                self._directory.open_version(TABLE, version),
            )
            if len(self._pinned) > _PINNED:
                self._pinned.popitem(last=False)
        return self._pinned[version]

    @staticmethod
    def _is_indexed(table: Any) -> bool:
        return set(INDEXED) <= {column for index in table.list_indices() for column in index.columns}


async def _found(
    table: Any,
    words: Sequence[str],
    k: int,
    locale: str | None,
    columns: Sequence[str],
    among: Collection[str] | None = None,
) -> Any:
    """Return the best products with their score; rows with the score of the last one may be left out."""
    from lancedb.expr import col, lit
    from lancedb.query import MultiMatchQuery

    distinct = list(dict.fromkeys(words))[:_MOST_WORDS]
    builder = table.query().nearest_to_text(
        MultiMatchQuery(" ".join(distinct), list(INDEXED), boosts=list(INDEXED.values()))
    )
    if among is not None:
        builder = builder.where(col(KEY).isin([lit(key) for key in among]))
    elif locale is not None:
        builder = builder.where(col("locale") == lit(locale))
    return await builder.select([*columns, "_score"]).limit(k).to_arrow()


def _ranked(hits: Any) -> pl.DataFrame:
    return pl.DataFrame(hits).sort("_score", KEY, descending=[True, False]).drop("_score")


def _unindexed_rows(table: Any) -> int:
    return max((int(index.num_unindexed_rows) for index in table.list_indices()), default=0)


def _is_scattered(table: Any) -> bool:
    return int(table.stats()["fragment_stats"]["num_fragments"]) > _MOST_FILES


def _refresh(table: Any) -> None:
    """Create the indexes of words, keys and locales, or take the rows outside into them."""
    from lancedb.index import FTS

    existing = {column for index in table.list_indices() for column in index.columns}
    if KEY not in existing:
        index_columns(table)
    for column in INDEXED.keys() - existing:
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
    if INDEXED.keys() <= existing:
        table.optimize(cleanup_older_than=KEEP_ALL_VERSIONS)
