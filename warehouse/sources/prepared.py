"""Prepared sources: the declared files as one folder that the full ingest reads, made again only when something changed."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.contracts.esci_files import EXAMPLES_FILE, PRODUCTS_FILE
from warehouse.conversion.clicks import convert_clicks
from warehouse.conversion.judgements import convert_judgements
from warehouse.conversion.number_text import DecimalSign, DecimalSigns
from warehouse.conversion.products import OutputNames, create_products, write_products
from warehouse.conversion.queries import create_queries, with_queries
from warehouse.declaration.attributes import ATTRIBUTES_FILE
from warehouse.declaration.locales import DEFAULT_LOCALE
from warehouse.declaration.problems import PROBLEM_SCHEMA, Converted
from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.lake.lake import connect, quote, scalar
from warehouse.paths import plain_path
from warehouse.readers.file_hash import sha256
from warehouse.readers.rows import create_view
from warehouse.readers.swallowed_lines import swallowed_lines
from warehouse.sources.source_files import (
    PLACES_FILE,
    REFUSED_FILE,
    SourceFiles,
    as_refused,
    fingerprint,
    source_files,
    with_places,
)
from warehouse.wording import counted

_MANIFEST = "manifest.json"
_OUTPUTS = (PRODUCTS_FILE, EXAMPLES_FILE, ATTRIBUTES_FILE, PLACES_FILE, REFUSED_FILE)


def prepare(sources: Sequence[Source], base: Path, folder: Path, memory_gb: float = 4.0) -> tuple[str, ...]:
    """Read declared sources into a folder of parquet files, unless that was done before; return notes, a sentence each.

    The manifest is written last: a folder without one is made again.

    Args:
        sources: The declarations.
        base: The folder at which relative paths start.
        folder: The folder to write, for prepared sources alone.
        memory_gb: Memory that DuckDB may use, in gigabytes.

    Raises:
        WarehouseError: A file is missing, has another shape, or lacks declared columns; nothing was written.
    """
    files = source_files(sources, base)
    known, manifest = fingerprint(files), folder / _MANIFEST
    if manifest.is_file():
        content = json.loads(manifest.read_text())
        if content["fingerprint"] == known:
            return tuple(content["notes"])
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix="draft-", ignore_cleanup_errors=True) as draft:
        conversion = convert(files, Path(draft), memory_gb)
        manifest.unlink(missing_ok=True)
        products = folder / PRODUCTS_FILE
        is_same = products.is_file() and sha256(products) == sha256(Path(draft) / PRODUCTS_FILE)
        for name in _OUTPUTS:
            if name == ATTRIBUTES_FILE and is_same:
                continue  # deltas of these products have changed the file since
            made = Path(draft) / name
            if made.exists():
                made.replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    draft_manifest = folder / f"{_MANIFEST}.draft"
    draft_manifest.write_text(json.dumps({"fingerprint": known, **conversion._asdict()}))
    draft_manifest.replace(manifest)
    return conversion.notes


def is_prepared(folder: Path) -> bool:
    """Tell whether a folder holds what declared sources were read into."""
    return all((folder / name).is_file() for name in (_MANIFEST, REFUSED_FILE))


def decimal_signs(folder: Path) -> DecimalSigns:
    """Return the decimal signs that were found when the sources were prepared; none for a folder that is not prepared."""
    if not is_prepared(folder):
        return ()
    content = json.loads((folder / _MANIFEST).read_text())
    return tuple((place, sign) for place, sign in content.get("decimal_signs", ()))


def refused_rows(folder: Path, table: str) -> pl.DataFrame:
    """Return what the sources of a table refused (key, rule, row); nothing for a folder that is not prepared."""
    path = folder / REFUSED_FILE
    if not path.is_file():
        return pl.DataFrame(schema={"key": pl.String, "rule": pl.String, "row": pl.String})
    return pl.read_parquet(path).filter(table=table).drop("table")


class Conversion(NamedTuple):
    """Describe a conversion of source files.

    Attributes:
        notes: what was derived, counted or left out, a sentence each.
        decimal_signs: the decimal sign of each column of numbers for which none is declared.
    """

    notes: tuple[str, ...]
    decimal_signs: DecimalSigns


def convert(files: Sequence[SourceFiles], folder: Path, memory_gb: float, *, may_lack: bool = False) -> Conversion:
    """Write the files of declared sources as the files that the full ingest reads, with the refused values.

    Files of JSON `may_lack` columns if they are changes.

    Raises:
        WarehouseError: As `prepare`.
    """
    problems, notes, judged = [pl.DataFrame(schema=_FAULT)], list[str](), list[Converted]()
    views: dict[str, list[str]] = {"products": [], "details": [], "queries": []}
    names, signs = OutputNames(PRODUCTS_FILE, PLACES_FILE, ATTRIBUTES_FILE), list[tuple[str, DecimalSign]]()
    with TemporaryDirectory(dir=folder) as scratch, connect(memory_gb, spill=Path(scratch)) as connection:
        for number, (source, of_source) in enumerate(files):
            rows = f"rows_{number}"
            create_view(connection, rows, source, of_source, Path(scratch), may_lack=may_lack)
            table = "raw.products" if source.kind in ("products", "details") else "raw.judgements"
            problems.append(swallowed_lines(connection, rows, of_source).with_columns(table=pl.lit(table)))
            if source.kind in ("products", "details"):
                view = f"products_{number}"
                made_view = create_products(connection, view, source, rows)
                problems.append(made_view.problems.with_columns(table=pl.lit("raw.products")))
                views[source.kind].append(view)
                notes += made_view.notes
                signs += made_view.decimal_signs
                if source.fold_variants:
                    notes.append(_folded_note(connection, rows, view))
                if "locale" not in source.columns:
                    notes.append(
                        f"locale {DEFAULT_LOCALE} for every row of {', '.join(source.files)}, which declares none; to set "
                        f'it write under [source.columns]: locale = {{ constant = "{DEFAULT_LOCALE}" }}'
                    )
            elif source.kind == "queries":
                views["queries"].append(rows)
        if not views["products"]:
            raise WarehouseError(
                f"no source has products, and {', '.join(files[0][0].files)} names them by their ids",
                "give or declare the file with the id and the title of each product, too",
            )
        _refuse_no_rows(connection, [each for each in enumerate(files) if each[1].source.kind == "products"])
        write_products(connection, views["products"], folder, names, views["details"])
        if views["details"]:
            notes.append(_details_note(connection))
        if views["queries"]:
            create_queries(connection, views["queries"])
        for number, (source, _) in enumerate(files):
            rows, path = f"rows_{number}", Path(scratch) / f"judgements-{number}.parquet"
            if source.kind == "judgements":
                if "query" not in source.columns:
                    rows = with_queries(connection, rows)
                made = convert_judgements(connection, source, rows, path)
            elif source.kind == "clicks":
                made = convert_clicks(connection, source, rows, path, known_products="every_product")
            else:
                continue
            judged.append(made)
            problems.append(made.problems.with_columns(table=pl.lit("raw.judgements")))
            notes += made.notes
        if judged:
            _write_judgements(connection, judged, folder / EXAMPLES_FILE)
    as_refused(with_places(pl.concat(problems), files)).write_parquet(folder / REFUSED_FILE)
    return Conversion(tuple(dict.fromkeys(notes)), tuple(signs))


def _refuse_no_rows(connection: duckdb.DuckDBPyConnection, sources: Sequence[tuple[int, SourceFiles]]) -> None:
    if not any(scalar(connection, f"SELECT count(*) FROM rows_{number}") for number, _ in sources):
        names = ", ".join(str(file.path) for _, of_source in sources for file in of_source.files)
        raise WarehouseError(f"no row of products stands in {names}", "give files with rows")


_FAULT = {**PROBLEM_SCHEMA, "table": pl.String}


def _folded_note(connection: duckdb.DuckDBPyConnection, rows: str, products: str) -> str:
    before, after = (
        scalar(connection, f"SELECT count(*) FROM {rows}"),
        scalar(connection, f"SELECT count(*) FROM {products}"),
    )
    return f"{counted(before, 'row')} folded to {counted(after, 'product')}"


def _details_note(connection: duckdb.DuckDBPyConnection) -> str:
    """Return how many details belong to a product."""
    read = scalar(connection, "SELECT count(*) FROM details")
    matched = scalar(
        connection, "SELECT count(*) FROM details SEMI JOIN every_product USING (product_locale, product_id)"
    )
    return f"details of {counted(read, 'product')} read, {matched:,} of them in the catalog"


def _write_judgements(connection: duckdb.DuckDBPyConnection, judged: Sequence[Converted], path: Path) -> None:
    """Write the judgements of all sources; of a pair in several sources the first source counts."""
    parts = " UNION ALL BY NAME ".join(
        f"SELECT {number} AS source_number, * FROM read_parquet({quote(str(plain_path(made.path)))})"
        for number, made in enumerate(judged)
    )
    connection.execute(
        f"COPY (SELECT * EXCLUDE (source_number) FROM ({parts}) QUALIFY row_number() OVER "
        "(PARTITION BY product_locale, query_id, product_id ORDER BY source_number) = 1 "
        f"ORDER BY source_number, product_locale, query_id, product_id) TO {quote(str(plain_path(path)))} "
        "(FORMAT parquet, COMPRESSION zstd)"
    )
