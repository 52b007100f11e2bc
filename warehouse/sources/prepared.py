"""Prepared sources: the declared files as one folder that the full ingest reads, made again only when something changed."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.errors import WarehouseError
from warehouse.lake.lake import connect
from warehouse.sources.declaration import Kind, Source
from warehouse.sources.formats import SourceFile, source_file
from warehouse.sources.problems import PROBLEM_SCHEMA
from warehouse.sources.products import create_products, write_products
from warehouse.sources.rows import create_view

PRODUCTS_FILE = "shopping_queries_dataset_products.parquet"
JUDGEMENTS_FILE = "shopping_queries_dataset_examples.parquet"
REFUSED_FILE = "refused.parquet"

_MANIFEST = "manifest.json"
_VERSION = "1"  # raised when the same files would give other rows


class SourceFiles(NamedTuple):
    """Hold a declaration and its files."""

    source: Source
    files: list[SourceFile]


@dataclass(frozen=True)
class PreparedSources:
    """Hold the folder that stands for declared sources.

    Attributes:
        folder: the folder, with files of the names and columns of ESCI.
        notes: what was derived or left out, a sentence each.
        refused: the refused values (table, key, rule, row), as the quarantine takes them.
    """

    folder: Path
    notes: tuple[str, ...]
    refused: pl.DataFrame


def source_files(sources: Sequence[Source], base: Path) -> list[SourceFiles]:
    """Return the files of each source; a pattern stands for its matches, sorted by name.

    Raises:
        WarehouseError: Files are missing or cannot be read; the message names all of them.
    """
    found_files: list[SourceFiles] = []
    faults: list[WarehouseError] = []
    for source in sources:
        paths: list[Path] = []
        for pattern in source.files:
            path = base / Path(pattern).expanduser()
            found = [path] if path.is_file() else sorted(map(Path, glob(str(path), recursive=True)))
            if not found:
                faults.append(
                    WarehouseError(
                        f"{path} matches no file", f"correct files of the source of {source.kind} in stockroom.toml"
                    )
                )
            paths += [each for each in found if each.is_file() and each not in paths]
        readable: list[SourceFile] = []
        found_files.append(SourceFiles(source, readable))
        for path in paths:
            try:
                readable.append(source_file(path, source))
            except WarehouseError as error:
                faults.append(error)
    if faults:
        raise WarehouseError("; ".join(fault.message for fault in faults), faults[0].hint)
    return found_files


def prepare(sources: Sequence[Source], base: Path, target: Path, memory_gb: float = 4.0) -> PreparedSources:
    """Read declared sources into a folder of parquet files below `target`, unless that was done before.

    Args:
        sources: The declarations.
        base: The folder at which relative paths start.
        target: The folder of prepared sources.
        memory_gb: Memory that DuckDB may use, in gigabytes.

    Raises:
        WarehouseError: A file is missing, has another shape, or lacks declared columns; nothing was written.
    """
    files = source_files(sources, base)
    folder = target / _fingerprint(files)
    if not (folder / _MANIFEST).is_file():
        target.mkdir(parents=True, exist_ok=True)
        with _draft(target) as draft:
            convert(files, draft, memory_gb)
            shutil.rmtree(folder, ignore_errors=True)
            draft.rename(folder)
        for other in target.iterdir():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
    manifest = json.loads((folder / _MANIFEST).read_text())
    return PreparedSources(folder, tuple(manifest["notes"]), pl.read_parquet(folder / REFUSED_FILE))


def refused_rows(folder: Path, table: str) -> pl.DataFrame:
    """Return what the sources of a table refused (key, rule, row); nothing for a folder that is not prepared."""
    path = folder / REFUSED_FILE
    if not path.is_file():
        return pl.DataFrame(schema={"key": pl.String, "rule": pl.String, "row": pl.String})
    return pl.read_parquet(path).filter(table=table).drop("table")


def convert(files: Sequence[SourceFiles], folder: Path, memory_gb: float) -> None:
    """Write the files of declared sources as the files that the full ingest reads, with the refused values and the notes.

    Raises:
        WarehouseError: As `prepare`.
    """
    views: dict[Kind, list[str]] = {}
    problems = []
    with connect(memory_gb) as connection, TemporaryDirectory(dir=folder) as scratch:
        for number, (source, of_source) in enumerate(files):
            rows = f"rows_{number}"
            create_view(connection, rows, source, of_source, Path(scratch))
            if source.kind == "products":
                problems.append(create_products(connection, f"products_{number}", source, rows))
                views.setdefault("products", []).append(f"products_{number}")
        write_products(connection, views["products"], folder / PRODUCTS_FILE)
    _refused(pl.concat([pl.DataFrame(schema=PROBLEM_SCHEMA), *problems]), files).write_parquet(folder / REFUSED_FILE)
    (folder / _MANIFEST).write_text(json.dumps({"notes": []}))


def _fingerprint(files: Sequence[SourceFiles]) -> str:
    """Return a hash of the declarations and of the bytes of their files."""
    digest = hashlib.sha256(f"{_VERSION}:{duckdb.__version__}".encode())
    for source, of_source in files:
        digest.update(source.model_dump_json().encode())
        for file in of_source:
            with file.path.open("rb") as opened:
                digest.update(f"{file.path}:{hashlib.file_digest(opened, 'sha256').hexdigest()}".encode())
    return digest.hexdigest()[:16]


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    with TemporaryDirectory(dir=target, prefix="draft-", ignore_cleanup_errors=True) as draft:
        yield Path(draft)


def _refused(problems: pl.DataFrame, files: Sequence[SourceFiles]) -> pl.DataFrame:
    """Return problems as the quarantine takes them: the key is the place, the row says file, place, column and value."""
    places = []
    by_path = {str(file.path): file for _, of_source in files for file in of_source}
    for (path,), rows in problems.group_by("file", maintain_order=True):
        numbers = rows["row"].unique().sort()
        found = by_path[str(path)].places(numbers.to_list())
        places.append(pl.DataFrame({"file": [path] * len(numbers), "row": numbers, "place": found}))
    placed = problems.join(pl.concat(places), on=["file", "row"]) if places else problems.with_columns(place=pl.lit(""))
    names = pl.col("file").str.split("/").list.last()
    return placed.select(
        table=pl.lit("raw.products"),
        key=pl.concat_str(names, pl.lit(" "), "place"),
        rule="rule",
        row=pl.struct("file", "place", "column", "value").struct.json_encode(),
    )
