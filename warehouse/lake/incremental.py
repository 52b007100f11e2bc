"""Incremental refresh: which rows of a derived table its sources may have changed since its watermark, and only those.

A table's watermark moves in the transaction that writes its rows. So what a refresh still has to do follows from the lake
alone, whoever wrote to it, in whatever order, and whenever a process was killed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import duckdb
import polars as pl

from warehouse.code_digest import code_digest, digest
from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import change_feed, quarantine, tables, watermarks
from warehouse.lake.dependencies import DERIVATIONS, Derivation
from warehouse.lake.lake import snapshot_id
from warehouse.lake.reconcile import Plan
from warehouse.lake.sql_tree import restrict, sql_digest, tables_read
from warehouse.lake.watermarks import Progress, RunMarks, Watermark
from warehouse.settings import WarehouseSettings

MOST_DIRTY, FEW = 0.3, 1_000
"""The largest share of a table's rows that are looked at one by one, if they are not few: beyond it to compare all is faster."""

CONTRACT = "contract"
"""The name of the check that each table of the lake has: every row keeps its contract."""

_MECHANISM = "1"  # to be raised when rows are hashed or compared in another way


@dataclass(frozen=True)
class Pending:
    """Say which rows of a derived table have to be made again.

    Attributes:
        keys: Their keys, a frame (key); None: those of all rows.
        since: The snapshot up to which the sources were followed; None where all rows are looked at.
        is_own: Whether a row of the base that has to be read was itself written after that snapshot.
        is_behind: Whether anything was written to the sources since, or the code is another: the watermark has to move.
    """

    keys: pl.DataFrame | None
    since: int | None = None
    is_own: bool = False
    is_behind: bool = True

    @property
    def is_nothing(self) -> bool:
        """Tell whether no row has to be made again."""
        return self.keys is not None and self.keys.is_empty()

    def base_rows(self, key: str) -> str:
        """Return the SQL condition of the base's rows that the pending rows are made of."""
        if self.keys is None:
            return "true"
        # Rows written since a snapshot lie in files of their own: no older file is opened.
        return f"snapshot_id > {self.since}" if self.is_own else f"{key} IN (FROM dirty_keys)"


def made_by(derivation: Derivation, settings: WarehouseSettings) -> str:
    """Return the digest of all that decides a table's rows, given its sources: code, contract, settings, versions."""
    parts = [repr(derivation), CONTRACTS[derivation.table].version, _MECHANISM, duckdb.__version__]
    names = [name for name in (derivation.table, _refusals(derivation)) if tables.source_file(name)]
    parts += [sql_digest(tables.sql(name)) for name in names]
    parts += [f"{name}={value}" for name, value in parameters(derivation, settings).items()]
    if derivation.transform:
        parts += [pl.__version__, code_digest(import_module(derivation.transform))]
    return digest(*parts)


def parameters(derivation: Derivation, settings: WarehouseSettings) -> dict[str, object]:
    """Return the settings that a table's SQL file is given, by name."""
    return {name: getattr(settings, name) for name in derivation.parameters}


@contextmanager
def following(
    connection: duckdb.DuckDBPyConnection,
    derivation: Derivation,
    made_by: str,
    marks: RunMarks | None = None,
    *,
    whole: bool = False,
) -> Iterator[Pending]:
    """Yield what of a table is pending, and move its watermark once that was written.

    Args:
        connection: To the lake, in the transaction that is to write the rows; nothing was written in it yet.
        derivation: The table.
        made_by: The digest of what decides its rows.
        marks: The watermarks of the run, whose transaction it is; None: that of the table is written with its rows.
        whole: Compare all rows, whatever the watermark says.
    """
    snapshot = snapshot_id(connection)
    pending_rows = pending(connection, derivation, made_by, marks)
    if whole:
        pending_rows = Pending(None, is_behind=pending_rows.is_behind)
    yield pending_rows
    mark = Watermark(snapshot, made_by)
    if pending_rows.is_behind and marks is not None:
        marks.move(derivation.table, mark)
    elif pending_rows.is_behind:
        watermarks.write(connection, {derivation.table: mark})


def pending(
    connection: duckdb.DuckDBPyConnection, derivation: Derivation, made_by: str, marks: RunMarks | None = None
) -> Pending:
    """Return what of a table its sources may have changed since its watermark."""
    progress = Progress.read(connection, marks)
    mark = progress.marks.get(derivation.table)
    if mark is None or mark.made_by != made_by:
        return Pending(None)
    changed = progress.changed(derivation.sources, mark.snapshot)
    if not changed:
        return Pending(_NO_KEYS, mark.snapshot, is_behind=False)
    if not change_feed.is_followed(connection, changed, mark.snapshot) or set(changed) & set(derivation.everywhere):
        return Pending(None)
    return _dirty(connection, derivation, mark.snapshot, changed)


def lagging(progress: Progress, derivations: Mapping[str, Derivation], settings: WarehouseSettings) -> list[str]:
    """Return the derived tables that have not followed their sources."""
    return [
        table
        for table, derivation in derivations.items()
        if not progress.is_current(table, derivation.sources, made_by(derivation, settings))
    ]


def check_key(table: str, check: str) -> str:
    """Return the key of the watermark of a check: a check that passed has followed the table that it looks at."""
    return f"{table} {check}"


def checked_until(connection: duckdb.DuckDBPyConnection, progress: Progress, contract: Contract) -> int | None:
    """Return the snapshot up to which every row of a table was seen to keep its contract; None where that is not known."""
    mark = progress.marks.get(check_key(contract.table, CONTRACT))
    if mark is None or mark.made_by != contract.version:
        return None
    return mark.snapshot if change_feed.is_followed(connection, [contract.table], mark.snapshot) else None


def sources_of(key: str, derivations: Mapping[str, Derivation]) -> tuple[str, ...]:
    """Return the tables whose rows the watermark of a key follows; none for a check of more than a table's own rows."""
    if key in derivations:
        return derivations[key].sources
    table, _, check = key.partition(" ")
    return (table,) if check == CONTRACT else ()


def refresh(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    settings: WarehouseSettings,
    marks: RunMarks | None = None,
    *,
    whole: bool = False,
) -> tuple[Plan, int]:
    """Bring a table up to date by its SQL file, with what of its base goes to quarantine.

    Returns:
        What was written, and how many rows the table now has in quarantine.
    """
    derivation, contract = DERIVATIONS[table], CONTRACTS[table]
    values = parameters(derivation, settings)
    change = Plan.empty()
    tables.ensure(connection, contract)
    with following(connection, derivation, made_by(derivation, settings), marks, whole=whole) as pending_rows:
        if not pending_rows.is_nothing:
            source = restricted(connection, derivation, tables.sql(table), pending_rows)
            where = "true" if pending_rows.keys is None else f'"{derivation.target}" IN (FROM dirty_keys)'
            change = tables.refresh_by(connection, contract, source, values, where)
            if derivation.refuses:
                # To look for what is left out takes more than the base's own rows: a text may stand in any query.
                refused = tables.sql(_refusals(derivation))
                if pending_rows.keys is not None:
                    refused = restrict(connection, refused, {derivation.base: pending_rows.base_rows(derivation.key)})
                quarantine.replace(connection, table, connection.sql(refused).pl(), pending_rows.keys)
    return change, quarantine.count(connection, table) if derivation.refuses else 0


def restricted(connection: duckdb.DuckDBPyConnection, derivation: Derivation, sql: str, pending_rows: Pending) -> str:
    """Return a query of a table's rows so that it reads no more of the sources than the pending rows are made of."""
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


def _dirty(connection: duckdb.DuckDBPyConnection, derivation: Derivation, since: int, changed: list[str]) -> Pending:
    """Return the rows that the changed sources reach."""
    base, key = derivation.base, derivation.key
    queries = []
    if base in changed:
        queries.append(change_feed.changed_rows(connection, base, since, f"{key} AS key"))
        if derivation.peers:
            peers = change_feed.changed_rows(connection, base, since, derivation.peers)
            queries.append(f"SELECT {key} AS key FROM {base} WHERE {derivation.peers} IN ({peers})")
    for source, expression in derivation.lookups.items():
        if source in changed:
            lookup_keys = change_feed.changed_rows(connection, source, since, f'"{CONTRACTS[source].key}" AS key')
            queries.append(f"SELECT {key} AS key FROM {base} WHERE {expression} IN ({lookup_keys})")
    for source in set(changed) & set(derivation.members):
        counts = change_feed.count_changes(connection, CONTRACTS[source], since)
        if counts is None or counts.inserted or counts.deleted:
            return Pending(None)
    if not queries:
        return Pending(_NO_KEYS, since)
    keys = connection.sql(f"SELECT DISTINCT key FROM ({' UNION ALL '.join(queries)})").pl()
    if derivation.is_fitted and keys.height:
        return Pending(None)
    if keys.height > max(FEW, MOST_DIRTY * tables.row_counts(connection).get(base, 0)):
        return Pending(None)
    is_own = changed == [base] and derivation.peers is None and derivation.is_one_to_one
    return Pending(keys, since, is_own)


_NO_KEYS = pl.DataFrame(schema={"key": pl.String})
