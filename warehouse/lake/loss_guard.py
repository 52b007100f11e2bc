"""Loss guard: refuse a run that would remove too large a share of a table's rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from warehouse.errors import WarehouseError
from warehouse.lake import tables
from warehouse.lake.reconcile import Plan
from warehouse.wording import counted

_NEEDED = ("raw.products", "staging.products")
"""The tables that no run may empty: a search needs products."""

GUARDED = (*_NEEDED, "raw.judgements")
"""The tables from which no run may remove most rows without permission.

No model depends on raw.sources and raw.search_rules, so they may be emptied.
"""


@dataclass(frozen=True)
class Loss:
    """Count a table's rows before a run, those that the run would remove, and those after it.

    `cause` names the files or the step. `rules` counts the rows that broke each rule.
    """

    table: str
    cause: str
    before: int
    gone: int
    after: int
    rules: Mapping[str, int] = field(default_factory=dict)


def refuse_empty(loss: Loss) -> None:
    """Refuse a catalog without products, and judgements of which every row is refused, even if losses are allowed.

    Raises:
        WarehouseError: The table would be empty; the message names the cause, the row count and the violated rules.
    """
    if loss.after or not (loss.table in _NEEDED or (loss.table in GUARDED and loss.rules)):
        return
    had = f"none of the {counted(loss.before, 'row')} of {loss.table}" if loss.before else f"{loss.table} without a row"
    hint = "a search needs products, so an empty table is always refused; give a file with valid rows"
    if loss.table not in _NEEDED:
        hint = "give a file with valid rows; or leave the file out, since a build also works without judgements"
    raise WarehouseError(f"{loss.cause} would leave {had}{_refusal_note(loss)}", hint)


def refuse_loss(loss: Loss, max_share: float, allowed: bool = False) -> None:
    """Refuse to remove more than a share of a guarded table's rows unless `allowed`; refuse what `refuse_empty` refuses.

    Raises:
        WarehouseError: Too many rows would go; the message names the cause, the counts, the violated rules and the override.
    """
    refuse_empty(loss)
    if loss.table in GUARDED and loss.gone > max_share * loss.before and not allowed:
        raise WarehouseError(
            f"{loss.cause} would remove {loss.gone:,} of the {counted(loss.before, 'row')} of {loss.table}{_refusal_note(loss)}",
            f"check the input; a run may remove at most the share {max_share:g} (setting warehouse.max_loss_share), or more with "
            "--allow-loss (in the UI: allow_loss: true)",
        )


def _refusal_note(loss: Loss) -> str:
    return f"; rows refused: {rule_summary(loss.rules)}" if loss.rules else ""


def require_judged_products(
    products_file: Path, products: pl.DataFrame, judgements_file: Path, judgements: pl.DataFrame
) -> None:
    """Refuse judgements of which none is of a product in the catalog; both frames hold the keys of a table after the run.

    Raises:
        WarehouseError: No judged product is known; the message names both files, and a product of each.
    """
    judged = judgements.select(key=pl.col("key").str.replace(":[^:]*:", ":"))  # locale:query_id:product_id
    if judged.join(products, on="key", how="semi").is_empty():
        one, other = judged.min().item(), products.select("key").min().item()
        raise WarehouseError(
            f"{judgements_file} has no judgement of a product in {products_file}: a judged key is {one}, a product key is "
            f"{other}",
            "use the same product_locale and product_id in both files; or leave the file out, since a build also works without "
            "judgements",
        )


def require_judgements(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse judgements of which none can be used; no judgements at all are allowed.

    Raises:
        WarehouseError: staging.judgements is empty and raw.judgements is not; the message counts the rows and the violated
            rules.
    """
    raw = tables.count(connection, "raw.judgements")
    if not raw or tables.count(connection, "staging.judgements"):
        return
    refused = connection.sql(
        "SELECT rule, count(*) FROM quarantine.rows WHERE \"table\" IN ('raw.judgements', 'staging.queries', "
        "'staging.judgements') GROUP BY rule"
    ).fetchall()
    note = f"; rows refused: {rule_summary(dict(refused))}" if refused else ""
    raise WarehouseError(
        f"none of the {counted(raw, 'row')} of raw.judgements can be used{note}",
        "ingest judgements of products in the catalog, or remove them all: stockroom build --raw DIR --allow-loss, with a "
        "folder that has no file of judgements",
    )


class Losses:
    """Track the rows of each table that a transaction deletes, over the changes of several files."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Track the transaction of a connection."""
        self._connection = connection
        self._before: dict[str, int] = {}
        self._gone: dict[str, pl.DataFrame] = {}
        self._new: dict[str, pl.DataFrame] = {}

    @property
    def tables(self) -> list[str]:
        """Return the tracked tables."""
        return list(self._before)

    def follow(self, table: str, change: Plan) -> None:
        """Record the changes that are about to be made to a table."""
        if table not in self._before:
            self._before[table] = tables.count(self._connection, table)
        none = change.delete.clear()
        removed, new = self._gone.get(table, none), self._new.get(table, none)
        deleted, inserted = change.delete, change.insert
        self._gone[table] = pl.concat([removed, deleted.join(new, on="key", how="anti")]).join(
            inserted, on="key", how="anti"
        )
        self._new[table] = pl.concat([new, inserted.join(removed, on="key", how="anti")]).join(
            deleted, on="key", how="anti"
        )

    def refuse(self, causes: Mapping[str, str], max_share: float, allowed: bool) -> None:
        """Refuse the losses of each tracked table, as `refuse_loss` does; `causes` names the cause by table.

        Raises:
            WarehouseError: As `refuse_loss`.
        """
        for table, before in self._before.items():
            if removed := self._gone[table].height:
                after = tables.count(self._connection, table)
                refuse_loss(Loss(table, causes[table], before, removed, after), max_share, allowed)


def rule_counts(violations: pl.DataFrame) -> dict[str, int]:
    """Return the number of violations (key, rule, row) by rule name."""
    return dict(sorted(violations["rule"].value_counts().iter_rows()))


def rule_summary(rules: Mapping[str, int]) -> str:
    """Return the violated rules with their counts as text, the most frequent first."""
    return ", ".join(f"{rule} {rows:,}" for rule, rows in sorted(rules.items(), key=lambda item: (-item[1], item[0])))
