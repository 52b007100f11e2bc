"""Incremental refresh: recompute only the rows of a derived table that its sources may have changed since its watermark.

A table's watermark moves once its rows are committed, and a run writes the moved watermarks when it ends. The lake alone
therefore determines the pending rows, independent of who wrote to it, in which order, and when a process was killed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import duckdb
import polars as pl

from warehouse.code_digest import code_digest, digest
from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import change_feed, quarantine, tables, watermarks
from warehouse.lake.catalog import LakeState
from warehouse.lake.dependencies import DERIVATIONS, Derivation
from warehouse.lake.reconcile import Plan
from warehouse.lake.sql_tree import restrict, sql_digest, tables_read
from warehouse.lake.watermarks import Progress, RunWatermarks, Watermark
from warehouse.settings import WarehouseSettings

MOST_DIRTY, FEW = 0.3, 1_000
"""Above this share of a table's rows, and this count, a comparison of all rows is faster than one by key."""

CONTRACT = "contract"
"""The name of the check that every lake table has: every row satisfies the contract."""

_MECHANISM = "1"  # raise it when the hashing or comparison of rows changes


@dataclass(frozen=True)
class Pending:
    """Name the rows of a derived table that have to be recomputed.

    Attributes:
        keys: The keys of the rows, a frame (key); None: all rows.
        since: The snapshot up to which the sources were followed; None if all rows are compared.
        is_own: Whether every base row to read was written after that snapshot.
        is_behind: Whether the sources or the code changed since, so that the watermark has to move.
    """

    keys: pl.DataFrame | None
    since: int | None = None
    is_own: bool = False
    is_behind: bool = True

    @property
    def is_nothing(self) -> bool:
        """Tell whether no row has to be recomputed."""
        return self.keys is not None and self.keys.is_empty()

    def base_rows(self, key: str) -> str:
        """Return the SQL condition that selects the base rows behind the pending rows."""
        if self.keys is None:
            return "true"
        # Rows written since a snapshot are in separate files, so that no older file is opened.
        return f"snapshot_id > {self.since}" if self.is_own else f"{key} IN (FROM dirty_keys)"


def made_by(derivation: Derivation, settings: WarehouseSettings) -> str:
    """Return the digest of everything but the sources that determines a table's rows: code, contract, settings, versions."""
    parts = [repr(derivation), CONTRACTS[derivation.table].version, _MECHANISM, duckdb.__version__]
    names = [name for name in (derivation.table, _refusals(derivation)) if tables.source_file(name)]
    parts += [sql_digest(tables.sql(name)) for name in names]
    parts += [f"{name}={value}" for name, value in parameters(derivation, settings).items()]
    if derivation.transform:
        parts += [pl.__version__, _module_digest(derivation.transform)]
    return digest(*parts)


@cache
def _module_digest(name: str) -> str:
    return code_digest(import_module(name))


def parameters(derivation: Derivation, settings: WarehouseSettings) -> dict[str, object]:
    """Return the settings that a table's SQL file takes as parameters, by name."""
    return {name: getattr(settings, name) for name in derivation.parameters}


@contextmanager
def following(
    connection: duckdb.DuckDBPyConnection,
    derivation: Derivation,
    made_by: str,
    run_watermarks: RunWatermarks | None = None,
    *,
    whole: bool = False,
) -> Iterator[Pending]:
    """Yield the pending rows of a table, and move its watermark once they are written.

    Args:
        connection: To the lake, in the transaction that will write the rows, before its first write.
        derivation: The table.
        made_by: The digest that `made_by` returns.
        run_watermarks: The watermarks of the run that owns the transaction; None: the table's watermark is written with its rows.
        whole: Compare all rows, whatever the watermark says.
    """
    progress = run_watermarks.progress if run_watermarks else Progress.read(connection)
    pending_rows = pending(connection, derivation, made_by, progress)
    if whole:
        pending_rows = Pending(None, is_behind=pending_rows.is_behind)
    yield pending_rows
    watermark = Watermark(progress.state.snapshot, made_by)
    if pending_rows.is_behind and run_watermarks is not None:
        run_watermarks.move(derivation.table, watermark)
    elif pending_rows.is_behind:
        watermarks.write(connection, {derivation.table: watermark})


def pending(connection: duckdb.DuckDBPyConnection, derivation: Derivation, made_by: str, progress: Progress) -> Pending:
    """Return the rows of a table that its sources may have changed since its watermark."""
    watermark = progress.watermarks.get(derivation.table)
    if watermark is None or watermark.made_by != made_by:
        return Pending(None)
    changed = progress.changed(derivation.sources, watermark.snapshot)
    if not changed:
        return Pending(_NO_KEYS, watermark.snapshot, is_behind=False)
    if not progress.state.is_followed(changed, watermark.snapshot) or set(changed) & set(derivation.everywhere):
        return Pending(None)
    return _dirty(connection, derivation, watermark.snapshot, changed, progress.state)


def lagging(progress: Progress, derivations: Mapping[str, Derivation], settings: WarehouseSettings) -> list[str]:
    """Return the derived tables that have not followed their sources."""
    return [
        table
        for table, derivation in derivations.items()
        if not progress.is_current(table, derivation.sources, made_by(derivation, settings))
    ]


def check_key(table: str, check: str) -> str:
    """Return the watermark key of a check: a check that passed has followed its table."""
    return f"{table} {check}"


def checked_until(progress: Progress, contract: Contract) -> int | None:
    """Return the snapshot up to which every row of a table satisfies its contract; None if unknown."""
    watermark = progress.watermarks.get(check_key(contract.table, CONTRACT))
    if watermark is None or watermark.made_by != contract.version:
        return None
    return watermark.snapshot if progress.state.is_followed([contract.table], watermark.snapshot) else None


def sources_of(key: str, derivations: Mapping[str, Derivation]) -> tuple[str, ...]:
    """Return the tables that the watermark of a key follows; none for a check of more than a table's own rows."""
    if key in derivations:
        return derivations[key].sources
    table, _, check = key.partition(" ")
    return (table,) if check == CONTRACT else ()


def refresh(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    settings: WarehouseSettings,
    run_watermarks: RunWatermarks | None = None,
    *,
    whole: bool = False,
) -> tuple[Plan, int]:
    """Refresh a table by its SQL file, and quarantine the refused rows of its base.

    Returns:
        The changes, and the number of the table's rows now in quarantine.
    """
    derivation, contract = DERIVATIONS[table], CONTRACTS[table]
    values = parameters(derivation, settings)
    change = Plan.empty()
    tables.ensure(connection, contract)
    with following(connection, derivation, made_by(derivation, settings), run_watermarks, whole=whole) as pending_rows:
        if not pending_rows.is_nothing:
            source = restricted(connection, derivation, tables.sql(table), pending_rows)
            where = "true" if pending_rows.keys is None else f'"{derivation.target}" IN (FROM dirty_keys)'
            change = tables.refresh_by(connection, contract, source, values, where)
            if derivation.refuses:
                # The search for refused rows needs more than the base's own rows: any query may have the same text.
                refused = tables.sql(_refusals(derivation))
                if pending_rows.keys is not None:
                    refused = restrict(connection, refused, {derivation.base: pending_rows.base_rows(derivation.key)})
                quarantine.replace(connection, table, connection.sql(refused).pl(), pending_rows.keys)
    return change, quarantine.count(connection, table) if derivation.refuses else 0


def restricted(connection: duckdb.DuckDBPyConnection, derivation: Derivation, sql: str, pending_rows: Pending) -> str:
    """Restrict a query of a table's rows to the source rows behind the pending rows."""
    if pending_rows.keys is None:
        return sql
    connection.register("dirty_keys", pending_rows.keys)
    conditions = {derivation.base: pending_rows.base_rows(derivation.key)}
    for source, expression in derivation.lookups.items():
        if source in tables_read(sql):
            key = CONTRACTS[source].key
            conditions[source] = f'"{key}" IN (SELECT {expression} FROM temp."{derivation.base}")'
    return restrict(connection, sql, conditions)


def _refusals(derivation: Derivation) -> str:
    return f"quarantine.{derivation.table.replace('.', '_')}"


def _dirty(
    connection: duckdb.DuckDBPyConnection, derivation: Derivation, since: int, changed: list[str], state: LakeState
) -> Pending:
    """Return the rows that the changed sources affect."""
    base, key = derivation.base, derivation.key
    queries = []
    if base in changed:
        queries.append(change_feed.changed_rows(state, base, since, f"{key} AS key"))
        if derivation.peers:
            peers = change_feed.changed_rows(state, base, since, derivation.peers)
            queries.append(f"SELECT {key} AS key FROM {base} WHERE {derivation.peers} IN ({peers})")
    for source, expression in derivation.lookups.items():
        if source in changed:
            lookup_keys = change_feed.changed_rows(state, source, since, f'"{CONTRACTS[source].key}" AS key')
            queries.append(f"SELECT {key} AS key FROM {base} WHERE {expression} IN ({lookup_keys})")
    for source in set(changed) & set(derivation.members):
        counts = change_feed.count_changes(connection, CONTRACTS[source], since, state=state)
        if counts is None or counts.inserted or counts.deleted:
            return Pending(None)
    if not queries:
        return Pending(_NO_KEYS, since)
    keys = connection.sql(f"SELECT DISTINCT key FROM ({' UNION ALL '.join(queries)})").pl()
    if derivation.is_fitted and keys.height:
        return Pending(None)
    if keys.height > max(FEW, MOST_DIRTY * state.tables[base].rows):
        return Pending(None)
    is_own = changed == [base] and derivation.peers is None and derivation.is_one_to_one
    return Pending(keys, since, is_own)


_NO_KEYS = pl.DataFrame(schema={"key": pl.String})
