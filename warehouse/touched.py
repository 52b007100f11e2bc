"""Touched rows: what a run changed since the as-of point that it began at, so that it need look at nothing else."""

import hashlib
from collections.abc import Callable, Mapping

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH
from warehouse.tables import EMPTY, Written, data_version, rows_of

_SCHEMA = {"key": pl.String, "old": pl.String, "new": pl.String}
_NO_ROWS = pl.DataFrame(schema=_SCHEMA)


class Touched:
    """Gather which rows of which tables a run changed, by key, with their hashes before and after.

    It lives as long as the run, in memory. A run may rely on it if it began at an as-of point that this very code ended,
    since all tables followed from the raw ones then. Otherwise it has none, and compares whole tables.
    """

    def __init__(self, point: int, versions: Mapping[str, str] | None = None) -> None:
        """Begin at an as-of point, at which the tables had these data versions."""
        self.point = point
        self._versions = dict(versions or {})
        self._rows: dict[str, pl.DataFrame] = {}
        self._sums: dict[str, tuple[pl.DataFrame, str]] = {}

    def note(self, table: str, old: pl.DataFrame, new: pl.DataFrame) -> None:
        """Note that rows of a table gave way to others; both are frames (key, input_hash), keys unique in each."""
        before = self.rows(table)
        removed = old.select(pl.col("key").cast(pl.String), old=pl.col(INPUT_HASH).cast(pl.String))
        put_in = new.select(pl.col("key").cast(pl.String), new=pl.col(INPUT_HASH).cast(pl.String))
        change = removed.join(put_in, on="key", how="full", coalesce=True)
        first = pl.concat([before.select("key", "old"), change.select("key", "old")]).unique("key", keep="first")
        last = pl.concat([before.select("key", "new"), change.select("key", "new")]).unique("key", keep="last")
        together = first.join(last, on="key").filter(~pl.col("old").eq_missing(pl.col("new")))
        self._rows[table] = together.sort("key")

    def rows(self, table: str) -> pl.DataFrame:
        """Return (key, old, new): the rows that are others than at the point; null where there was or is none."""
        return self._rows.get(table, _NO_ROWS)

    def keys(self, *names: str) -> pl.DataFrame:
        """Return the keys of the rows that changed in any of the tables, a frame (key)."""
        return pl.concat([self.rows(name).select("key") for name in names]).unique(maintain_order=True)

    def any(self, *names: str) -> bool:
        """Tell whether any row of the tables changed."""
        return any(self.rows(name).height for name in names)

    def share(self, *names: str) -> float:
        """Return the largest share of a table's rows, as many as it had at the point, that changed in any of the tables."""
        return max(self.rows(name).height / max(rows_of(self._versions.get(name, EMPTY)), 1) for name in names)

    def written(self, table: str, content: Callable[[pl.Expr], pl.Expr] | None = None) -> Written:
        """Count what became of the table's rows since the point.

        A row of equal content counts as the same: `content` returns the part of the hashes that tells, else all of them do.
        """
        rows = self.rows(table)
        if content is not None:
            rows = rows.filter(~content(pl.col("old")).eq_missing(content(pl.col("new"))))
        inserted, deleted = rows["old"].null_count(), rows["new"].null_count()
        return Written(inserted, rows.height - inserted - deleted, deleted)

    def version(self, table: str) -> str | None:
        """Return the table's data version, as `tables.fingerprint` has it; None if it is not known at the point."""
        if table not in self._versions:
            return None
        rows = self.rows(table)
        if table not in self._sums or self._sums[table][0] is not rows:
            before = self._versions[table]
            new, old = rows.drop_nulls("new"), rows.drop_nulls("old")
            change = _sum(new["key"], new["new"]) - _sum(old["key"], old["old"])
            height = rows_of(before) + new.height - old.height
            self._sums[table] = rows, data_version(height, int(before.split("-")[1], 16) + change)
        return self._sums[table][1]

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Give SQL the touched rows of all tables, as the temporary table `touched` ("table", key, old, new)."""
        parts = [rows.select(pl.lit(table).alias("table"), *_SCHEMA) for table, rows in self._rows.items()]
        listed = pl.concat([pl.DataFrame(schema={"table": pl.String, **_SCHEMA}), *parts])
        connection.register("touched_rows", listed)
        connection.execute("CREATE OR REPLACE TEMP TABLE touched AS FROM touched_rows")
        connection.unregister("touched_rows")


def _sum(keys: pl.Series, hashes: pl.Series) -> int:
    """Return the sum of the rows' hashes, as `tables.fingerprint` adds them up."""
    rows = zip(keys.to_list(), hashes.to_list(), strict=True)
    digests = (hashlib.md5(f"{key} {row_hash}".encode(), usedforsecurity=False) for key, row_hash in rows)
    return sum(int.from_bytes(digest.digest(), "little") for digest in digests)
