"""Reconciliation: make the rows of a table equal to the desired rows, and write only the rows that differ.

To reconcile is to compare both sets of rows by key and input hash, then to insert, update and delete the differences. Every
table is written this way.
"""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Plan:
    """Name the changes that turn the current rows into the desired rows.

    Each frame has one column, `key`; no key is in two of them.
    """

    insert: pl.DataFrame
    update: pl.DataFrame
    delete: pl.DataFrame

    @classmethod
    def empty(cls) -> "Plan":
        """Return the plan without changes."""
        return cls(*(pl.DataFrame(schema={"key": pl.String}) for _ in range(3)))

    @property
    def upsert(self) -> pl.DataFrame:
        """Return the keys whose rows must be written."""
        return pl.concat([self.insert, self.update])

    @property
    def obsolete(self) -> pl.DataFrame:
        """Return the keys whose current rows must be removed: those to update and those to delete."""
        return pl.concat([self.update, self.delete])

    @property
    def is_empty(self) -> bool:
        """Tell whether there are no changes."""
        return not (self.insert.height or self.update.height or self.delete.height)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many rows are to be inserted, updated and deleted."""
        return {"inserted": self.insert.height, "updated": self.update.height, "deleted": self.delete.height}


def plan(desired: pl.DataFrame, current: pl.DataFrame, key: str = "key", input_hash: str = "input_hash") -> Plan:
    """Compare the desired with the current rows, by key and by input hash.

    The comparison has no state: after a crash it finds the remaining changes. Both frames need unique, non-null keys.
    """
    desired_hashes = desired.select(key=key, desired=input_hash)
    current_hashes = current.select(key=key, current=input_hash)
    joined = desired_hashes.join(current_hashes, on="key", how="full", coalesce=True)
    is_new, is_obsolete = pl.col("current").is_null(), pl.col("desired").is_null()
    is_changed = pl.col("desired") != pl.col("current")
    insert, update, delete = (joined.lazy().filter(mask).select("key") for mask in (is_new, is_changed, is_obsolete))
    return Plan(*pl.collect_all([insert, update, delete]))
