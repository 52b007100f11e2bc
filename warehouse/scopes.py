"""Scopes: which rows of a table hang on which rows of its sources, so that a change is followed no further than it reaches."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse import tables
from warehouse.contracts.contract import Contract
from warehouse.reconcile import Plan
from warehouse.touched import Touched

AFFECTED = "key IN (FROM affected)"
_NEW = f"{AFFECTED} AND snapshot_id > getvariable('touched_since')"
"""Affected rows that were all written since the point: the files from before it, nearly all there are, are not opened."""


class Scope(NamedTuple):
    """Say what a table hangs on, and from which rows of its sources those are made that a change may have reached.

    Attributes:
        affected: The file under `sql/affected/` that finds the keys of those rows; it asks the temporary table `touched`.
        hangs_on: The tables of which a changed row may reach the table.
        rows: For a source the SQL condition of the rows that are read of it; it may ask the temporary table `affected`,
            and a source named before it as the view `temp."schema.table"`. Sources that are not named are read whole.
    """

    affected: str
    hangs_on: tuple[str, ...]
    rows: Mapping[str, str]


_PAIRED = ("staging.judgements", "staging.queries", "staging.products")
_TRAINED = (*_PAIRED, "training.queries", "features.products", "features.queries")
_PAIRED_PRODUCTS = 'key IN (SELECT product_key FROM temp."staging.judgements")'
_JUDGED = ("raw.judgements", "staging.queries", "staging.products")

SCOPES = {
    "staging.products": Scope("staging_products", ("raw.products",), {"raw.products": _NEW}),
    "staging.queries": Scope(
        "staging_queries",
        ("raw.judgements", "raw.sources", "staging.products"),
        {"raw.judgements": "concat(product_locale, ':', query_id) IN (FROM affected)"},
    ),
    "staging.judgements": Scope("staging_judgements", _JUDGED, {"raw.judgements": AFFECTED}),
    "training.queries": Scope("training_queries", ("staging.queries",), {"staging.queries": AFFECTED}),
    "fitted.vocabulary": Scope("fitted_vocabulary", ("staging.judgements", "training.queries", "staging.products"), {}),
    "features.products": Scope("features_products", ("staging.products",), {"staging.products": _NEW}),
    "features.queries": Scope(
        "features_queries", ("staging.queries", "fitted.vocabulary"), {"staging.queries": AFFECTED}
    ),
    "features.pairs": Scope(
        "features_pairs",
        _PAIRED,
        {
            "staging.judgements": AFFECTED,
            "staging.queries": 'key IN (SELECT query_key FROM temp."staging.judgements")',
            "staging.products": _PAIRED_PRODUCTS,
        },
    ),
    "training.pairs": Scope(
        "training_pairs", _TRAINED, {"staging.judgements": AFFECTED, "staging.products": _PAIRED_PRODUCTS}
    ),
    "quarantine.staging_judgements": Scope("staging_judgements", _JUDGED, {"raw.judgements": AFFECTED}),
    "quarantine.training_pairs": Scope("training_pairs", _TRAINED, {"staging.judgements": AFFECTED}),
}
"""The scopes by SQL file: a table that has one, or what one puts into quarantine."""


def refresh(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    parameters: Mapping[str, object] | None = None,
    touched: Touched | None = None,
) -> Plan:
    """Bring a table up to date by its SQL file: the rows that what was touched may have reached, or all of them."""
    if touched is None or contract.table not in SCOPES:
        return tables.refresh(connection, contract, parameters, touched)
    reached = affected(connection, contract.table, touched)
    if reached.is_empty():
        return Plan.empty()
    where = f'"{contract.key}" IN (FROM affected)'
    return tables.refresh_by(connection, contract, scoped(connection, contract.table), parameters, where, touched)


def affected(connection: duckdb.DuckDBPyConnection, name: str, touched: Touched) -> pl.DataFrame:
    """Return the keys of the rows that may be others, a frame (key).

    They stand in the temporary table `affected` too, and the snapshot that the run began at in the variable `touched_since`.
    """
    scope = SCOPES[name]
    if not touched.any(*scope.hangs_on):
        return pl.DataFrame(schema={"key": pl.String})
    touched.register(connection)
    connection.execute(f"SET VARIABLE touched_since = {touched.point}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE affected AS {tables.sql(f'affected.{scope.affected}')}")
    return connection.sql("FROM affected").pl()


def scoped(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """Return the SQL file of a table so that it reads no more of its sources than the affected rows are made from."""
    return narrowed(connection, tables.sql(name), SCOPES[name].rows)


def among(connection: duckdb.DuckDBPyConnection, name: str, keys: pl.DataFrame) -> str:
    """Return `read.products` or `read.queries` so that it reads the rows under some keys (a frame, key) alone."""
    connection.register("keys_among", keys.select("key"))
    entity = name.removeprefix("read.")
    wanted = "key IN (FROM keys_among)"
    return narrowed(connection, tables.sql(name), {f"staging.{entity}": wanted, f"features.{entity}": wanted})


def narrowed(connection: duckdb.DuckDBPyConnection, sql: str, rows: Mapping[str, str]) -> str:
    """Return a query so that it reads of some tables only the rows for which a condition holds, through temporary views."""
    for source, condition in rows.items():
        sql, places = re.subn(rf"\b(from|join)(\s+){re.escape(source)}\b", rf'\1\2temp."{source}"', sql, flags=re.I)
        assert places, f"the query does not read {source}"
        connection.execute(f'CREATE OR REPLACE TEMP VIEW "{source}" AS SELECT * FROM {source} WHERE {condition}')
    return sql
