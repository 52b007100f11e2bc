"""Matching: the declared source that a file belongs to, told by its columns."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from warehouse.declaration.columns import declared_names, file_columns
from warehouse.declaration.source import REQUIRED, Source
from warehouse.errors import WarehouseError
from warehouse.lake.lake import connect
from warehouse.readers.format_detection import source_file
from warehouse.readers.missing_columns import column_names, missing_columns


def matching_source(connection: duckdb.DuckDBPyConnection, sources: Sequence[Source], path: Path) -> Source:
    """Return the declaration whose columns a file has, the first of several; of a file of JSON the required ones are enough.

    Raises:
        WarehouseError: No source can read the file, or it lacks columns of every source; the message names those of the
            nearest.
    """
    lacks, absent, shared, readable = [], [], [], list[Source]()
    unreadable: list[WarehouseError] = []
    for source in sources:
        try:
            file = source_file(path, source)
            names = column_names(connection, file)
        except WarehouseError as error:  # of another encoding
            unreadable.append(error)
            continue
        readable.append(source)
        missing = missing_columns(source, names, is_nested=file.format != "csv")
        absent.append(len(missing))
        shared.append(len(declared_names(source) - missing.keys()))
        if file.format == "json":  # whose objects leave out what they have not
            meanings = ("product_id",) if source.kind == "products" and "op" in names else REQUIRED[source.kind]
            needed = {name for meaning in meanings for name in file_columns(source.columns[meaning])}
            missing = {name: problem for name, problem in missing.items() if name in needed}
        lacks.append(missing)
    complete = [number for number, missing in enumerate(lacks) if not missing]
    if complete:
        return readable[min(complete, key=absent.__getitem__)]
    if unreadable:
        raise unreadable[0]
    best = max(range(len(readable)), key=lambda number: (shared[number], -len(lacks[number])))
    nearest = readable[best]
    raise WarehouseError(
        f"{path} lacks columns of every declared source; of the {nearest.kind} in {', '.join(nearest.files)}: "
        f"{'; '.join(lacks[best].values())}",
        "give whole rows with these columns, or declare the file in stockroom.toml: stockroom init proposes how",
    )


def matching_sources(sources: Sequence[Source], paths: Sequence[Path]) -> list[Source]:
    """Return the declarations with the given files instead of their own, each file under the first source that fits it.

    Of products whose file has a column op, the declaration has it too: rows to delete are no products.

    Raises:
        WarehouseError: As `matching_source`.
    """
    chosen: dict[tuple[int, bool], list[str]] = {}
    with connect(1.0) as connection:
        for path in paths:
            source = matching_source(connection, sources, path)
            has_op = source.kind == "products" and "op" in column_names(connection, source_file(path, source))
            chosen.setdefault((sources.index(source), has_op), []).append(str(path.absolute()))
    matched = []
    for (number, has_op), files in chosen.items():
        columns = sources[number].columns | ({"op": "op"} if has_op else {})
        matched.append(sources[number].model_copy(update={"files": tuple(files), "columns": columns}))
    return matched
