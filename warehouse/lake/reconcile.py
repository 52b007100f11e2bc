"""Reconciliation: the one mechanism that moves change from an input to what is derived from it."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Plan:
    """Name what has to happen so that the current rows become the desired ones.

    Each frame has one column, `key`; no key stands in two of them.
    """

    insert: pl.DataFrame
    update: pl.DataFrame
    delete: pl.DataFrame

    @classmethod
    def empty(cls) -> "Plan":
        """Return the plan by which nothing happens."""
        return cls(*(pl.DataFrame(schema={"key": pl.String}) for _ in range(3)))

    @property
    def upsert(self) -> pl.DataFrame:
        """Return the keys whose rows must be made anew."""
        return pl.concat([self.insert, self.update])

    @property
    def stale(self) -> pl.DataFrame:
        """Return the keys whose present rows must go: those to update and those to delete."""
        return pl.concat([self.update, self.delete])

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing has to happen."""
        return not (self.insert.height or self.update.height or self.delete.height)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many rows are to be inserted, updated and deleted."""
        return {"inserted": self.insert.height, "updated": self.update.height, "deleted": self.delete.height}


def plan(desired: pl.DataFrame, current: pl.DataFrame, key: str = "key", input_hash: str = "input_hash") -> Plan:
    """Compare what should be with what is, by key and by the hash of the inputs that a row was made from.

    It keeps no state: after a crash the same comparison finds what is left to do. Both frames need unique, non-null keys.
    """
    wanted = desired.select(key=key, wanted=input_hash)
    present = current.select(key=key, present=input_hash)
    joined = wanted.join(present, on="key", how="full", coalesce=True)
    new, gone = pl.col("present").is_null(), pl.col("wanted").is_null()
    changed = pl.col("wanted") != pl.col("present")
    insert, update, delete = (joined.lazy().filter(mask).select("key") for mask in (new, changed, gone))
    return Plan(*pl.collect_all([insert, update, delete]))
