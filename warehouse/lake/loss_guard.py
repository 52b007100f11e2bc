"""Losses: what a run may take out of a table, refused beyond a share of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from warehouse.errors import WarehouseError
from warehouse.lake import tables
from warehouse.lake.reconcile import Plan

_NEEDED = {
    "raw.products": "without products there is nothing to search",
    "raw.judgements": "without judgements nothing can be trained or measured",
    "staging.products": "without products there is nothing to search",
}
GUARDED = tuple(_NEEDED)
"""The tables that no run may empty, nor take most of away without being asked to.

Sources are a note on queries that nothing rests on, so that raw.sources may be emptied.
"""


@dataclass(frozen=True)
class Loss:
    """Tell what would become of a table: how many rows it has, how many of them would go, and how many it would have.

    `cause` names the files, or the step. `rules` says how many rows broke each rule.
    """

    table: str
    cause: str
    before: int
    gone: int
    after: int
    rules: Mapping[str, int] = field(default_factory=dict)


def refuse_empty(loss: Loss) -> None:
    """Refuse to leave a guarded table without a row, whatever is allowed: no run could end in a release.

    Raises:
        WarehouseError: It names the cause, the rows that the table has, and the rules that refused rows.
    """
    if loss.table in GUARDED and not loss.after:
        had = f"none of the {loss.before:,} rows of {loss.table}" if loss.before else f"{loss.table} without a row"
        raise WarehouseError(
            f"{loss.cause} would leave {had}{_refusal_note(loss)}",
            f"{_NEEDED[loss.table]}, so this is always refused; bring a file with rows that keep the rules",
        )


def refuse_loss(loss: Loss, max_share: float, allowed: bool = False) -> None:
    """Refuse to take more than a share of its rows from a guarded table unless that is `allowed`, and to leave it empty.

    Raises:
        WarehouseError: It names the cause, the rows, the rules that refused rows, and the way through.
    """
    refuse_empty(loss)
    if loss.table in GUARDED and loss.gone > max_share * loss.before and not allowed:
        raise WarehouseError(
            f"{loss.cause} would take {loss.gone:,} of the {loss.before:,} rows out of {loss.table}{_refusal_note(loss)}",
            f"more than the share {max_share:g} (setting warehouse.max_loss_share) goes only with --allow-loss "
            "(in the UI: allow_loss: true)",
        )


def _refusal_note(loss: Loss) -> str:
    return f"; rows refused: {rule_summary(loss.rules)}" if loss.rules else ""


def require_judged_products(
    products_file: Path, products: pl.DataFrame, judgements_file: Path, judgements: pl.DataFrame
) -> None:
    """Refuse judgements of which none is of a product that is there, given the (key) of both tables as they will be.

    Raises:
        WarehouseError: It names both files, and a product of each.
    """
    judged = judgements.select(key=pl.col("key").str.replace(":[^:]*:", ":"))  # locale:query_id:product_id
    if judged.join(products, on="key", how="semi").is_empty():
        one, other = judged.min().item(), products.select("key").min().item()
        raise WarehouseError(
            f"{judgements_file} judges no product that is in {products_file}: it judges {one} and others, and there are "
            f"{other} and others",
            "without a judged product nothing can be trained; give the two files the same product_locale and product_id",
        )


def require_judgements(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse to go on to a model without a judgement that can be used.

    Raises:
        WarehouseError: staging.judgements has no row; it says what became of those that came in.
    """
    if tables.count(connection, "staging.judgements"):
        return
    raw = tables.count(connection, "raw.judgements")
    refused = connection.sql(
        "SELECT rule, count(*) FROM quarantine.rows WHERE \"table\" IN ('raw.judgements', 'staging.queries', "
        "'staging.judgements') GROUP BY rule"
    ).fetchall()
    note = f"; rows refused: {rule_summary(dict(refused))}" if refused else ""
    raise WarehouseError(
        f"none of the {raw:,} rows of raw.judgements can be used{note}",
        "without judgements nothing can be trained or measured; bring in judgements of products that are there",
    )


class Losses:
    """Follow which rows that tables had when a transaction began are gone, whatever several files did to them since."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Follow what the connection's transaction does."""
        self._connection = connection
        self._before: dict[str, int] = {}
        self._gone: dict[str, pl.DataFrame] = {}
        self._new: dict[str, pl.DataFrame] = {}

    @property
    def tables(self) -> list[str]:
        """Return the tables that were followed."""
        return list(self._before)

    def follow(self, table: str, change: Plan) -> None:
        """Take into account what is about to be done to a table."""
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
        """Refuse what is gone of a table by now if that is too much; `causes` names for each table what took it out.

        Raises:
            WarehouseError: As `refuse_loss`.
        """
        for table, before in self._before.items():
            if removed := self._gone[table].height:
                after = tables.count(self._connection, table)
                refuse_loss(Loss(table, causes[table], before, removed, after), max_share, allowed)


def rule_counts(violations: pl.DataFrame) -> dict[str, int]:
    """Return how many times each rule was broken, by name, of violations (key, rule, row)."""
    return dict(sorted(violations["rule"].value_counts().iter_rows()))


def rule_summary(rules: Mapping[str, int]) -> str:
    """Return the rules that were broken and how often, most often first."""
    return ", ".join(f"{rule} {rows:,}" for rule, rows in sorted(rules.items(), key=lambda item: (-item[1], item[0])))
