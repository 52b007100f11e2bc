"""The change feed: the rows of a lake table that were written or deleted after a snapshot, as recorded by DuckLake."""

from collections.abc import Iterable

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.lake.catalog import last_changes, table_states
from warehouse.lake.lake import quote, scalar, snapshot_id
from warehouse.lake.reconcile import plan
from warehouse.lake.tables import Written


def is_readable(connection: duckdb.DuckDBPyConnection, snapshot: int) -> bool:
    """Tell whether the lake can still be read as of a snapshot, so that the feed from it is complete."""
    query = "SELECT count(*) FROM __ducklake_metadata_lake.ducklake_snapshot WHERE snapshot_id = ?"
    return scalar(connection, query, [snapshot]) > 0


def is_followed(connection: duckdb.DuckDBPyConnection, names: Iterable[str], since: int) -> bool:
    """Tell whether the feeds of some tables are complete after a snapshot.

    They are not if the snapshot has expired, or if a table was created after it, perhaps in place of another. Nor are they
    if a table gained a column, which changes every row.
    """
    states = table_states(connection)
    return is_readable(connection, since) and all(states[name].shaped_at <= since for name in names if name in states)


def changed_rows(connection: duckdb.DuckDBPyConnection, table: str, since: int, columns: str = "key") -> str:
    """Return the query of some columns of every row that was written or deleted after a snapshot.

    A replaced row occurs in its old and its new state.
    """
    removed = _removed(connection, table, since)
    return f"SELECT {columns} FROM {table} WHERE snapshot_id > {since} UNION ALL SELECT {columns} FROM {removed}"


def changed_keys(
    connection: duckdb.DuckDBPyConnection, contracts: Iterable[Contract], since: int
) -> pl.DataFrame | None:
    """Return the keys of the rows of some tables that changed after a snapshot, a frame (key); None: unknown."""
    by_table = {contract.table: contract for contract in contracts}
    if not is_followed(connection, by_table, since):
        return None
    changed_tables = [table for table, last in last_changes(connection).items() if table in by_table and last > since]
    queries = [changed_rows(connection, table, since, f'"{by_table[table].key}" AS key') for table in changed_tables]
    if not queries:
        return pl.DataFrame(schema={"key": pl.String})
    return connection.sql(f"SELECT DISTINCT key FROM ({' UNION ALL '.join(queries)})").pl()


def count_changes(
    connection: duckdb.DuckDBPyConnection, contract: Contract, since: int, content: str = INPUT_HASH
) -> Written | None:
    """Count a table's inserted, updated and deleted rows after a snapshot; None: unknown.

    Args:
        connection: To the lake.
        contract: The table's contract.
        since: The snapshot.
        content: SQL over the input hash; rows with equal values are equal. A row both inserted and deleted does not count.
    """
    if not is_followed(connection, [contract.table], since):
        return None
    columns = f'"{contract.key}" AS key, {content} AS content'
    newest = snapshot_id(connection)
    if newest <= since:
        return Written(0, 0, 0)
    # Both feeds are filtered after reading: DuckLake applies a snapshot condition on deletions to the snapshots in which the
    # deleted rows were written. Its feed of changes joins the two, and takes twice as long as both.
    inserted, deleted = (
        connection.sql(
            f"SELECT {columns}, rowid, snapshot_id FROM {_feed(connection, kind, contract.table, since, newest)}"
        )
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


def _removed(connection: duckdb.DuckDBPyConnection, table: str, since: int) -> str:
    newest = snapshot_id(connection)
    if newest <= since:  # the feed has no empty range
        return f"(FROM {table} LIMIT 0)"
    return _feed(connection, "deletions", table, since, newest)


def _feed(connection: duckdb.DuckDBPyConnection, kind: str, table: str, since: int, until: int) -> str:
    schema, name = table.split(".")
    # The range must begin at an existing snapshot; if need be it includes the changes of `since` itself again.
    first = since + 1 if is_readable(connection, since + 1) else since
    return f"ducklake_table_{kind}('lake', {quote(schema)}, {quote(name)}, {first}, {until})"
