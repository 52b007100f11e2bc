"""Deltas in the shape of a declared source: converted to delta files with the columns of the raw tables."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.conversion.judgements import convert_judgements
from warehouse.conversion.number_text import DecimalSigns
from warehouse.conversion.products import PRODUCT_COLUMNS, create_products
from warehouse.declaration.columns import ATTRIBUTE, declared_names
from warehouse.declaration.problems import PROBLEM_SCHEMA
from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.lake import tables
from warehouse.lake.lake import connect, quote, scalar
from warehouse.paths import plain_path
from warehouse.readers.format_detection import SourceFile, source_file
from warehouse.readers.missing_columns import column_names
from warehouse.readers.rows import create_view
from warehouse.readers.swallowed_lines import swallowed_lines
from warehouse.sources.declared_match import matching_source
from warehouse.sources.source_files import SourceFiles, as_refused, with_places

_CANONICAL = {"op", "product_locale", "product_id"}
_ORDER = ("op", "event_time")
_MOST_FAULTS = 5
_WHOLE = {
    "clicks": "is a click log, whose counts need the whole log",
    "details": "has details of products, which are read together with their products",
    "queries": "has queries by their ids, which are read together with their judgements",
}
"""Why a source of a kind is read as a whole."""
_KEY = ["product_locale", "product_id"]


class SourceDelta(NamedTuple):
    """Hold a delta file in the columns of a raw table.

    Attributes:
        path: the file.
        unread: the values that could not be read (key, rule, row), as the quarantine takes them.
        attributes: a file of the attributes of its products, if its source has any.
    """

    path: Path
    unread: pl.DataFrame
    attributes: Path | None = None


def converted_delta(
    path: Path, sources: Sequence[Source], folder: Path, decimal_signs: DecimalSigns = ()
) -> SourceDelta | None:
    """Convert a delta file in the shape of a declared source; None for one that has the columns of a raw table already.

    A file may have the columns op (upsert or delete, by default upsert) and event_time beside those of its source.

    Args:
        path: The file.
        sources: The declared sources.
        folder: A folder for what the file becomes, which is called as the file is.
        decimal_signs: The signs that the files of the sources were found to have.

    Raises:
        WarehouseError: No source has the columns of the file, or no row can be read.
    """
    if not sources:
        return None
    with connect(1.0) as connection:
        is_raw = _has_raw_columns(connection, path)
        try:
            source = matching_source(connection, sources, path)
        except WarehouseError:
            if is_raw:
                return None
            raise
        if is_raw and source.kind != "products":  # whose names may be those of the raw table, and which has attributes
            return None
        names = column_names(connection, source_file(path, source))
        kind = "queries" if source.kind == "judgements" and "query" not in source.columns else source.kind
        if kind in _WHOLE:
            raise WarehouseError(
                f"{path} {_WHOLE[kind]}",
                f"put the file beside {source.files[0]}, and run: stockroom build",
            )
        columns = dict(source.columns) | {name: name for name in _ORDER if name in names}
        whole = source.model_copy(update={"columns": columns})
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as scratch:
            read = source_file(path, source)
            create_view(connection, "rows", whole, [read], Path(scratch), may_lack=True)
            swallowed = swallowed_lines(connection, "rows", [read])
            if source.kind == "judgements":
                _refuse_deletes(connection, read)
                part = Path(scratch) / "judgements.parquet"
                problems = convert_judgements(connection, whole, "rows", part).problems
                query = f"SELECT 'upsert' AS op, * FROM read_parquet({quote(str(plain_path(part)))})"
                unread = _unread(pl.concat([problems, swallowed]), source, read)
                return SourceDelta(_write(connection, query, folder / path.name), unread)
            connection.execute(tables.sql("conversion.macros"))
            problems = create_products(connection, "every_product", whole, "rows", decimal_signs).problems
            present = [column for (column, *_) in connection.execute("DESCRIBE every_product").fetchall()]
            time = "event_time" if "event_time" in present else "NULL"
            is_bad = f"NOT is_blank({time}) AND time_of({time}) IS NULL"
            faults = connection.execute(
                f"SELECT file, row, 'event_time' AS \"column\", {time} AS value, 'event_time_wrong_type' AS rule "
                f"FROM every_product WHERE {is_bad} ORDER BY row"
            ).pl()
            unread = _unread(pl.concat([problems, faults.cast(pl.Schema(PROBLEM_SCHEMA)), swallowed]), source, read)
            op = "coalesce(op, 'upsert')" if "op" in present else "'upsert'"
            others = ", ".join(f'"{column}"' for column in present if column not in _ORDER)
            connection.execute(
                f"CREATE TEMP VIEW products AS SELECT {op} AS op, time_of({time}) AS event_time, {others} "
                f"FROM every_product WHERE NOT ({is_bad})"
            )
            if not scalar(connection, "SELECT count(*) FROM products") and unread.height:
                raise _nothing_read(path, unread)
            values = ", ".join(("op", "event_time", *PRODUCT_COLUMNS.values()))
            delta = _write(connection, f"SELECT {values} FROM products ORDER BY row", folder / path.name)
            return SourceDelta(delta, unread, _attributes(connection, source, folder))


def is_delta(path: Path, sources: Sequence[Source]) -> bool:
    """Tell whether a file has the columns of a delta, op or event_time, that its source does not declare.

    Raises:
        WarehouseError: No source has the columns of the file.
    """
    with connect(1.0) as connection:
        if _has_raw_columns(connection, path):
            return True
        if not sources:
            return False
        source = matching_source(connection, sources, path)
        names = set(_ORDER) & set(column_names(connection, source_file(path, source)))
        return source.kind in ("products", "judgements") and not names <= declared_names(source)


def _has_raw_columns(connection: duckdb.DuckDBPyConnection, path: Path) -> bool:
    """Tell whether a file has the columns of a delta of a raw table; one that needs a declaration to be read has not."""
    try:
        return set(column_names(connection, source_file(path))) >= _CANONICAL
    except WarehouseError:
        return False


def _refuse_deletes(connection: duckdb.DuckDBPyConnection, file: SourceFile) -> None:
    """Refuse rows of judgements that say to delete, since a source's judgements are derived from several rows.

    Raises:
        WarehouseError: The message has the place of the first such row.
    """
    if "op" not in [name for name, *_ in connection.execute("DESCRIBE rows").fetchall()]:
        return
    row = connection.execute("SELECT row, op FROM rows WHERE op <> 'upsert' ORDER BY row LIMIT 1").fetchone()
    if row:
        raise WarehouseError(
            f"{file.path}: {file.places([row[0]])[0]} has the op {row[1]!r}, and judgements of a source can only be upserted",
            "delete with a delta file that has op, product_locale, query_id and product_id: docs/guides/deltas.md",
        )


def merge_attributes(attributes: Path, delta: Path, valid: pl.DataFrame, decided: pl.DataFrame) -> None:
    """Replace the rows of a file of attributes by those rows of a delta that decided what their products are.

    The attributes of a product change with the product: a row that came late, was superseded or was refused changes nothing.

    Args:
        attributes: The parquet file of all products (product_locale, product_id and the attributes).
        delta: A parquet file of the same columns, delta_row (from 0), op and event_time.
        valid: The rows of the delta that no rule refused (delta_row).
        decided: The products that the delta decided, and no later one has (key, event_time of the deciding row or before it).
    """
    before, rows = pl.read_parquet(attributes), pl.read_parquet(delta)
    rows = rows.join(valid, on="delta_row", how="semi", maintain_order="left")
    rows = rows.with_columns(key=pl.format("{}:{}", *_KEY)).join(decided.rename({"event_time": "newest"}), on="key")
    is_counted = pl.col("event_time").is_null() | (pl.col("event_time") == pl.col("newest"))
    changed = rows.filter(is_counted).unique(_KEY, keep="last", maintain_order=True)
    own = [pl.col(name).cast(kind) for name, kind in before.schema.items() if name in changed.columns]
    upserted = changed.filter(op="upsert").select(own)  # a source may have fewer attributes than the catalog
    draft = attributes.with_suffix(".draft")
    pl.concat([before.join(changed, on=_KEY, how="anti"), upserted], how="diagonal").write_parquet(draft)
    draft.replace(attributes)


def _attributes(connection: duckdb.DuckDBPyConnection, source: Source, folder: Path) -> Path | None:
    if not source.attributes:
        return None
    columns = ", ".join(f'"{ATTRIBUTE}{each.name}" AS "{each.name}"' for each in source.attributes)
    numbered = f"SELECT row_number() OVER (ORDER BY row) - 1 AS delta_row, op, event_time, product_locale, product_id, {columns}"
    query = f"SELECT * FROM ({numbered} FROM products) WHERE product_id IS NOT NULL ORDER BY delta_row"
    return _write(connection, query, folder / "attributes.parquet")


def _write(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> Path:
    connection.execute(f"COPY ({query}) TO {quote(str(plain_path(path)))} (FORMAT parquet)")
    return path


def _unread(problems: pl.DataFrame, source: Source, file: SourceFile) -> pl.DataFrame:
    table = "raw.products" if source.kind == "products" else "raw.judgements"
    placed = with_places(problems.with_columns(table=pl.lit(table)), [SourceFiles(source, [file])])
    return as_refused(placed).drop("table")


def _nothing_read(path: Path, unread: pl.DataFrame) -> WarehouseError:
    rows = unread.select("key", "rule").head(_MOST_FAULTS).iter_rows()
    faults = "; ".join(f"{place} ({rule})" for place, rule in rows)
    more = f" and {unread.height - _MOST_FAULTS:,} more" if unread.height > _MOST_FAULTS else ""
    return WarehouseError(
        f"{path}: every row was refused: {faults}{more}",
        "nothing was written; correct the rows, then apply the file again",
    )
