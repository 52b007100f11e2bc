"""Source files: the files that declarations name, and how the output folder names what they became."""

import hashlib
import os
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import NamedTuple

import duckdb
import polars as pl

from warehouse.declaration.source import Source
from warehouse.errors import WarehouseError
from warehouse.readers.format_detection import SourceFile, source_file

PLACES_FILE = "product_places.parquet"
REFUSED_FILE = "refused.parquet"

_VERSION = "2"  # raised when the same files would give other rows


class SourceFiles(NamedTuple):
    """Hold a declaration and its files."""

    source: Source
    files: list[SourceFile]


def source_files(sources: Sequence[Source], base: Path) -> list[SourceFiles]:
    """Return the files of each source; a pattern stands for its matches, sorted by name.

    Raises:
        WarehouseError: Files are missing or cannot be read; the message names all of them.
    """
    found_files: list[SourceFiles] = []
    faults: list[WarehouseError] = []
    for source in sources:
        readable: list[SourceFile] = []
        found_files.append(SourceFiles(source, readable))
        for path in _paths(source, base, faults):
            try:
                readable.append(source_file(path, source))
            except WarehouseError as error:
                faults.append(error)
    if faults:
        raise WarehouseError("; ".join(fault.message for fault in faults), faults[0].hint)
    return found_files


def _paths(source: Source, base: Path, faults: list[WarehouseError]) -> list[Path]:
    paths: list[Path] = []
    for pattern in source.files:
        path = Path(os.path.normpath(base / Path(pattern).expanduser()))  # `..` needs no home to exist
        matches = [path] if path.is_file() else sorted(map(Path, glob(str(path), recursive=True)))
        matches = [each for each in matches if each.is_file()]
        if not matches:
            hint = f"correct files of the source of {source.kind} in stockroom.toml"
            faults.append(WarehouseError(f"{path} matches no file", hint))
        paths += [each for each in matches if each not in paths]
    return paths


def fingerprint(files: Sequence[SourceFiles]) -> str:
    """Return a hash of the declarations and of the bytes of their files."""
    digest = hashlib.sha256(f"{_VERSION}:{duckdb.__version__}".encode())
    for source, of_source in files:
        digest.update(source.model_dump_json().encode())
        for file in of_source:
            with file.path.open("rb") as opened:
                digest.update(f"{file.path}:{hashlib.file_digest(opened, 'sha256').hexdigest()}".encode())
    return digest.hexdigest()


def with_places(rows: pl.DataFrame, files: Sequence[SourceFiles]) -> pl.DataFrame:
    """Add to rows (file, row, …) their `place` in words, such as `products.csv line 12`; the order of the rows may change."""
    by_path = {str(file.path): file for _, of_source in files for file in of_source}
    places = [pl.DataFrame(schema={"file": pl.String, "row": pl.Int64, "place": pl.String})]
    for (path,), of_file in rows.filter(pl.col("file").is_not_null()).group_by("file", maintain_order=True):
        file, numbers = by_path[str(path)], of_file["row"].unique().sort()
        words = [f"{file.path.name} {place}" for place in file.places(numbers.to_list())]
        places.append(pl.DataFrame({"file": [path] * len(numbers), "row": numbers, "place": words}))
    return rows.join(pl.concat(places), on=["file", "row"], how="left", maintain_order="left").with_columns(
        pl.col("place").fill_null("")
    )


UNREAD_FIELDS = ("file", "place", "column", "value")
"""What the quarantine keeps of a value that could not be read; no refused row has these columns alone."""


def as_refused(problems: pl.DataFrame) -> pl.DataFrame:
    """Return problems with places as the quarantine takes them (table, key, rule, row): the key is the place."""
    return problems.select(
        "table",
        key="place",
        rule="rule",
        row=pl.struct(*UNREAD_FIELDS).struct.json_encode(),
    )
