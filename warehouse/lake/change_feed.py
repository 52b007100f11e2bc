"""The change feed: which rows of a table of the lake were written or removed after a snapshot, as DuckLake recorded it."""

from collections.abc import Iterable

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, Contract
from warehouse.lake import tables
from warehouse.lake.lake import quote, scalar, snapshot_id
from warehouse.lake.reconcile import plan
from warehouse.lake.tables import Written


def last_changes(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Return for each table the last snapshot that wrote or removed rows of it, or made it.

    The catalog knows: no table is read. What the present transaction did counts for nothing.
    """
    return dict(connection.execute(tables.sql("ducklake.last_changes")).fetchall())


def data_version(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return the data version of a table for Dagster: its rows, and the snapshot that changed it last.

    Equal versions of a lake's table have equal content; to say more would be to read it.
    """
    schema, name = table.split(".")
    state = connection.execute(tables.sql("ducklake.table_state"), {"schema": schema, "name": name}).fetchone()
    rows, last_change = state or (0, 0)
    return f"{rows}-{last_change}"


def is_readable(connection: duckdb.DuckDBPyConnection, snapshot: int) -> bool:
    """Tell whether the lake can still be read as of a snapshot, so that the feed from it is whole."""
    query = "SELECT count(*) FROM __ducklake_metadata_lake.ducklake_snapshot WHERE snapshot_id = ?"
    return scalar(connection, query, [snapshot]) > 0


def is_followed(connection: duckdb.DuckDBPyConnection, names: Iterable[str], since: int) -> bool:
    """Tell whether the feeds of some tables tell all that happened to them after a snapshot.

    They do not where the snapshot was expired, or a table was made after it, since it may stand in the place of another. Nor
    where it was given a column: every row is another then.
    """
    created_at = dict(connection.execute(tables.sql("ducklake.made_at")).fetchall())
    return is_readable(connection, since) and all(created_at.get(name, 0) <= since for name in names)


def changed_rows(connection: duckdb.DuckDBPyConnection, table: str, since: int, columns: str = "key") -> str:
    """Return the query of some columns of every row that was written after a snapshot, or has been removed since.

    A row that was replaced stands in it as it was and as it is.
    """
    removed = _removed(connection, table, since)
    return f"SELECT {columns} FROM {table} WHERE snapshot_id > {since} UNION ALL SELECT {columns} FROM {removed}"


def changed_keys(
    connection: duckdb.DuckDBPyConnection, contracts: Iterable[Contract], since: int
) -> pl.DataFrame | None:
    """Return the keys of the rows of some tables that changed after a snapshot, a frame (key); None: it cannot be told."""
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
    """Count what became of a table's rows after a snapshot; None: the feed cannot tell.

    Args:
        connection: To the lake.
        contract: The table's.
        since: The snapshot.
        content: SQL over the input hash: rows are equal where it is. A row that comes and goes counts for nothing.
    """
    if not is_followed(connection, [contract.table], since):
        return None
    columns = f'"{contract.key}" AS key, {content} AS content'
    newest = snapshot_id(connection)
    if newest <= since:
        return Written(0, 0, 0)
    # Both feeds are read before they are filtered: DuckLake holds a condition on the snapshots of deletions against those in
    # which the deleted rows were written. Its feed of changes joins the two, and takes twice as long as both.
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
    # Of the rows that went, the snapshot showed those that had not come after it; a row is replaced in one snapshot.
    transient = inserted.join(deleted, on="rowid", suffix="_gone").filter(
        pl.col("snapshot_id") < pl.col("snapshot_id_gone")
    )
    previous = deleted.join(transient, on="rowid", how="anti").select("key", "content")
    current = connection.sql(f"SELECT {columns} FROM {contract.table} WHERE snapshot_id > {since}").pl()
    change = plan(current, previous, input_hash="content")
    return Written(change.insert.height, change.update.height, change.delete.height)


def _removed(connection: duckdb.DuckDBPyConnection, table: str, since: int) -> str:
    newest = snapshot_id(connection)
    if newest <= since:  # the feed has no such stretch, and nothing happened in it
        return f"(FROM {table} LIMIT 0)"
    return _feed(connection, "deletions", table, since, newest)


def _feed(connection: duckdb.DuckDBPyConnection, kind: str, table: str, since: int, until: int) -> str:
    schema, name = table.split(".")
    # It must begin at a snapshot that is there; what the watermark's own snapshot changed is told once more where it has to.
    first = since + 1 if is_readable(connection, since + 1) else since
    return f"ducklake_table_{kind}('lake', {quote(schema)}, {quote(name)}, {first}, {until})"
