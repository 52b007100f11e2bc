"""The change feed: the rows of a lake table that were written or deleted after a snapshot, as recorded by DuckLake."""

from collections.abc import Iterable

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.lake import catalog
from warehouse.lake.catalog import LakeState
from warehouse.lake.lake import quote
from warehouse.lake.reconcile import plan
from warehouse.lake.tables import Written


def changed_rows(state: LakeState, table: str, since: int, columns: str = "key") -> str:
    """Return the query of some columns of every row that was written or deleted after a snapshot.

    A replaced row occurs in its old and its new state. `state` is that of the lake as the reader of the query sees it.
    """
    removed = _removed(state, table, since)
    return f"SELECT {columns} FROM {table} WHERE snapshot_id > {since} UNION ALL SELECT {columns} FROM {removed}"


def changed_keys(
    connection: duckdb.DuckDBPyConnection, contracts: Iterable[Contract], since: int
) -> pl.DataFrame | None:
    """Return the keys of the rows of some tables that changed after a snapshot, a frame (key); None: unknown."""
    by_table, state = {contract.table: contract for contract in contracts}, catalog.state(connection)
    if not state.is_followed(by_table, since):
        return None
    changed_tables = [table for table, last in state.last_changes.items() if table in by_table and last > since]
    queries = [changed_rows(state, table, since, f'"{by_table[table].key}" AS key') for table in changed_tables]
    if not queries:
        return pl.DataFrame(schema={"key": pl.String})
    return connection.sql(f"SELECT DISTINCT key FROM ({' UNION ALL '.join(queries)})").pl()


def count_changes(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    since: int,
    content: str = INPUT_HASH,
    state: LakeState | None = None,
) -> Written | None:
    """Count a table's inserted, updated and deleted rows after a snapshot; None: unknown.

    Args:
        connection: To the lake.
        contract: The table's contract.
        since: The snapshot.
        content: SQL over the input hash; rows with equal values are equal. A row both inserted and deleted does not count.
        state: The state of the lake as the connection sees it, if it is known.
    """
    state = state or catalog.state(connection)
    if not state.is_followed([contract.table], since):
        return None
    columns = f'"{contract.key}" AS key, {content} AS content'
    if state.snapshot <= since:
        return Written(0, 0, 0)
    # Both feeds are filtered after reading: DuckLake applies a snapshot condition on deletions to the snapshots in which the
    # deleted rows were written. Its feed of changes joins the two, and takes twice as long as both.
    inserted, deleted = (
        connection.sql(f"SELECT {columns}, rowid, snapshot_id FROM {_feed(state, kind, contract.table, since)}")
        .pl()
        .filter(pl.col("snapshot_id") > since)
        .sort("snapshot_id")
        .unique("rowid", keep="first")
        for kind in ("insertions", "deletions")
    )
    # Of the deleted rows, the old state had those that were not inserted after it. A row is replaced within one snapshot.
    transient = inserted.join(deleted, on="rowid", suffix="_gone").filter(
        pl.col("snapshot_id") < pl.col("snapshot_id_gone")
    )
    previous = deleted.join(transient, on="rowid", how="anti").select("key", "content")
    current = connection.sql(f"SELECT {columns} FROM {contract.table} WHERE snapshot_id > {since}").pl()
    change = plan(current, previous, input_hash="content")
    return Written(change.insert.height, change.update.height, change.delete.height)


def _removed(state: LakeState, table: str, since: int) -> str:
    if state.snapshot <= since:  # the feed has no empty range
        return f"(FROM {table} LIMIT 0)"
    return _feed(state, "deletions", table, since)


def _feed(state: LakeState, kind: str, table: str, since: int) -> str:
    schema, name = table.split(".")
    # The range must begin at an existing snapshot; if need be it includes the changes of `since` itself again.
    first = since + 1 if since + 1 in state.readable else since
    return f"ducklake_table_{kind}('lake', {quote(schema)}, {quote(name)}, {first}, {state.snapshot})"
