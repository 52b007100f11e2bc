"""File diff: compare the rows of a raw file with a table in one pass, and read whole rows only where they differ."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import polars as pl

from warehouse.contracts.contract import INPUT_HASH, VIOLATION_SCHEMA, as_json, split_rows
from warehouse.contracts.rules import keeps_rules
from warehouse.ingest.input_rules import ingest_rules
from warehouse.ingest.sources import InputFile
from warehouse.lake.lake import scalar
from warehouse.paths import plain_path
from warehouse.readers.file_columns import unreadable

_ROWS = {"row": pl.Int64, "key": pl.String, INPUT_HASH: pl.String, "is_good": pl.Boolean}
# DuckDB builds a join's hash table from the right side if these optimizers are off, so the wide left side streams.
_HOLD_THE_RIGHT_SIDE = "SET disabled_optimizers = 'join_order,build_side_probe_side'"


class FileRows:
    """Identify the rows of a file by key and hash, and read whole rows on request.

    A row that the table already has is good, since its hash covers the contract: it is counted and not read further. All
    other rows are set aside in the same pass, in a table that DuckDB may spill to disk. If the table is empty, those would
    be all rows, so nothing is set aside and whole rows are read from the file again.

    Attributes:
        height: The number of rows in the file.
        rows: The (row, key, input_hash, is_good) of the rows that may change the table: all but those that the table has,
            under keys that occur once in the file.
        gone: The keys that are in the table and not in the file, a frame (key).
    """

    def __init__(
        self, reader: duckdb.DuckDBPyConnection, file: InputFile, batch_rows: int, present: pl.DataFrame
    ) -> None:
        """Read every page of the file.

        Args:
            reader: A scratch connection, which stores the rows set aside.
            file: The file.
            batch_rows: The number of rows in memory at a time.
            present: The (key, input_hash) of the table's rows; a null hash sets aside every row with the key.

        Raises:
            WarehouseError: The file is corrupt.
        """
        self._reader, self._file, self._batch_rows = reader, file, batch_rows
        self._aside = f"aside_{file.source_spec.table.replace('.', '_')}"
        self._aside_rows = pl.DataFrame(schema={"row": pl.Int64})
        self.gone = pl.DataFrame(schema={"key": pl.String})
        with _reading(file):
            if present.height:
                self._compare(present)
            else:
                self.rows = self._read_all()
                self.height = self.rows.height

    def first_good(self, doubtful: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Choose the first valid row of each key, among rows that are bad or share a key.

        Returns:
            The chosen rows (row, key, input_hash), and the violations of the others (key, rule, row).
        """
        contract = self._file.source_spec.contract
        refused = [pl.DataFrame(schema=VIOLATION_SCHEMA)]
        fitting = [doubtful.select("row", "key", INPUT_HASH).clear().with_columns(json=pl.lit(""))]
        for batch in self._batches(doubtful):
            good, violations = split_rows(contract, batch, self._ingest_rules)
            refused.append(violations)
            fitting.append(good.select("row", "key", INPUT_HASH, json=as_json(contract)))
        ranked = pl.concat(fitting).sort("row")
        is_first = pl.col("key").is_first_distinct()
        refused.append(ranked.filter(~is_first).select("key", rule=pl.lit("duplicate_key"), row="json"))
        return ranked.filter(is_first).drop("json"), pl.concat(refused)

    def insert(self, connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame) -> None:
        """Insert the rows named in `rows` (row, key, input_hash) into the table."""
        insert = f"INSERT INTO {self._file.source_spec.table} BY NAME SELECT * EXCLUDE (row) FROM"
        if self._holds(rows):
            for batch in self._batches(rows):
                if batch.height:
                    connection.execute(f"{insert} batch")
        else:
            with _selected(connection, rows, self._source()) as query:
                connection.execute(f"{insert} ({query})", {"path": str(plain_path(self._file.path))})

    def _batches(self, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield the rows named in `rows` with the declared columns, and with row, key and input_hash."""
        if rows.is_empty():
            return
        if self._holds(rows):
            source, parameters = f"SELECT row, unnest(content) FROM {self._aside} WHERE content IS NOT NULL", None
        else:
            source, parameters = self._source(), {"path": str(plain_path(self._file.path))}
        with _selected(self._reader, rows, source) as query, _reading(self._file):
            yield from map(pl.DataFrame, self._reader.execute(query, parameters).to_arrow_reader(self._batch_rows))

    def _holds(self, rows: pl.DataFrame) -> bool:
        """Tell whether all of the rows were set aside."""
        return self._aside_rows.height > 0 and rows.join(self._aside_rows, on="row", how="anti").is_empty()

    def _source(self, *more: str) -> str:
        source_spec = self._file.source_spec
        return f"SELECT {', '.join(('file_row_number AS row', *more, source_spec.columns_sql))} FROM {source_spec.source_sql}"

    def _hashed(self, columns: str) -> str:
        """Return the query of (row, key, input_hash) and some columns; its parameters are `_bound`."""
        source_spec = self._file.source_spec
        source = self._source(f"{source_spec.key_sql} AS key")
        return f"SELECT row, key, {source_spec.hash_sql} AS {INPUT_HASH}, {columns} FROM ({source})"

    @property
    def _bound(self) -> dict[str, str]:
        return {"path": str(plain_path(self._file.path)), "version": self._file.source_spec.contract.version}

    def _read_all(self) -> pl.DataFrame:
        """Return (row, key, input_hash, is_good) of every row, read in batches with the columns that the rules need."""
        keeps, columns = self._rules()
        frames = [pl.DataFrame(schema=_ROWS)]
        for batch in self._reader.execute(self._hashed(columns), self._bound).to_arrow_reader(self._batch_rows):
            frames.append(pl.DataFrame(batch).select("row", "key", INPUT_HASH, is_good=keeps))
        return pl.concat(frames)

    def _compare(self, present: pl.DataFrame) -> None:
        """Set aside the rows that the table lacks, and find the rows that may change the table."""
        hashed = self._hashed(f"struct_pack({', '.join(self._file.source_spec.columns)}) AS content")
        self._reader.register("present", present)
        self._reader.execute(_HOLD_THE_RIGHT_SIDE)
        self._reader.execute(
            f"CREATE TEMP TABLE {self._aside} AS SELECT hashed.* EXCLUDE (content), "
            f"CASE WHEN present.{INPUT_HASH} IS DISTINCT FROM hashed.{INPUT_HASH} THEN content END AS content "
            f"FROM ({hashed}) AS hashed LEFT JOIN present ON present.key = hashed.key",
            self._bound,
        )
        self._reader.execute("RESET disabled_optimizers")
        self.gone = self._reader.sql(f"SELECT key FROM present ANTI JOIN {self._aside} USING (key)").pl()
        self._reader.unregister("present")
        self.height = scalar(self._reader, f"SELECT count(*) FROM {self._aside}")
        keeps, columns = self._rules()
        frames = [pl.DataFrame(schema={"row": pl.Int64, "is_good": pl.Boolean})]
        query = f"SELECT row, key, {columns} FROM (SELECT row, key, unnest(content) FROM {self._aside} WHERE content IS NOT NULL)"
        for batch in self._reader.execute(query).to_arrow_reader(self._batch_rows):
            frames.append(pl.DataFrame(batch).select("row", is_good=keeps))
        aside = pl.concat(frames)
        rows = self._reader.sql(
            f"SELECT row, key, {INPUT_HASH} FROM {self._aside} WHERE content IS NOT NULL "
            f"OR key IN (SELECT key FROM {self._aside} GROUP BY key HAVING count(*) > 1)"
        ).pl()
        self._aside_rows = aside.select("row")
        self.rows = rows.join(aside, on="row", how="left").with_columns(pl.col("is_good").fill_null(True))

    def _rules(self) -> tuple[pl.Expr, str]:
        """Return the expression that is true for a valid row, and the columns besides the key that it needs."""
        own = (rule.fill_null(True) for rule in self._ingest_rules.values())
        keeps = pl.all_horizontal(keeps_rules(self._file.source_spec.contract), *own)
        return keeps, ", ".join(f'"{name}"' for name in dict.fromkeys(keeps.meta.root_names()) if name != "key")

    @property
    def _ingest_rules(self) -> dict[str, pl.Expr]:
        return ingest_rules(self._file.source_spec.columns, self._file.checked_at)


@contextmanager
def _selected(connection: duckdb.DuckDBPyConnection, rows: pl.DataFrame, source: str) -> Iterator[str]:
    """Yield the query of the source rows (row and others) that are named in `rows`, with key and input_hash."""
    connection.register("selection", rows.select("row", "key", INPUT_HASH))
    connection.execute(_HOLD_THE_RIGHT_SIDE)
    yield f"SELECT selection.*, source.* EXCLUDE (row) FROM ({source}) AS source JOIN selection USING (row)"
    connection.execute("RESET disabled_optimizers")
    connection.unregister("selection")


@contextmanager
def _reading(file: InputFile) -> Iterator[None]:
    """Turn DuckDB's errors about a file into the error that names the file."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise unreadable(file.path, error) from error
