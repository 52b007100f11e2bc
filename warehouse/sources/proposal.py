"""Proposal: a declaration of files that nobody has declared, found from their names and first rows, with its reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import duckdb
import polars as pl

from warehouse.contracts.tables.raw import MAX_ID_LENGTH
from warehouse.declaration.source import Attribute, Clicks, Kind, Labels, Source
from warehouse.errors import WarehouseError
from warehouse.lake.lake import connect
from warehouse.readers.formats import SourceFile, header_rows, source_file
from warehouse.readers.head import head
from warehouse.sources.attribute_types import attribute_name, attribute_type
from warehouse.sources.meanings import CLICK_NAMES, PRODUCT_NAMES, QUERY_NAMES, find
from warehouse.wording import counted

_COUNTERS = ("event", "impressions", "clicks", "carts", "orders")
_EVENT_WORDS = {
    "impressions": ("impression", "view", "show", "display"),
    "clicks": ("click", "select"),
    "carts": ("cart", "basket", "atc"),
    "orders": ("order", "purchase", "buy", "checkout", "conversion"),
}
_UNIQUE_SHARE = 0.95
_FALLBACK = "windows-1252"


@dataclass(frozen=True)
class Proposal:
    """Hold a proposed source.

    Attributes:
        source: the declaration.
        reasons: why a column has its meaning, by meaning or attribute.
        left_out: columns that the declaration does not name, with the reason.
        head: the first rows of the first file, as text.
    """

    source: Source
    reasons: Mapping[str, str]
    left_out: Mapping[str, str]
    head: pl.DataFrame = field(repr=False)


def propose(paths: Sequence[Path], names: Sequence[str], encoding: str | None = None) -> list[Proposal]:
    """Propose one source for each shape of file: csv files of the same columns belong to one.

    Args:
        paths: The files.
        names: How the declaration names each file.
        encoding: Encoding of the text files; None: found out.

    Raises:
        WarehouseError: A file holds neither products nor judgements nor clicks, or no file holds products.
    """
    files = [_opened(path, encoding) for path in paths]
    with connect(1.0) as connection:
        proposals = _proposals(connection, files, names)
    if not any(proposal.source.kind == "products" for proposal in proposals):
        raise WarehouseError(
            f"no file of products among {', '.join(names)}", "give the file that has the title of each product, too"
        )
    return sorted(proposals, key=lambda proposal: get_args(Kind).index(proposal.source.kind))


def _opened(path: Path, encoding: str | None) -> SourceFile:
    """Find out how to read a file: one that is not UTF-8 is taken for Windows-1252, and its header may be a later line."""
    try:
        file = source_file(path, _reading(path, encoding) if encoding else None)
    except WarehouseError as error:
        if encoding is not None or "is not UTF-8" not in error.message:
            raise
        file = source_file(path, _reading(path, _FALLBACK))
    if file.format == "csv" and not _is_header(file.names):
        later = (line for line, names in header_rows(file).items() if _is_header(names))
        line = next(later, 1)
        if line > 1:
            return source_file(path, _reading(path, file.encoding, line))
    return file


def _reading(path: Path, encoding: str, header_row: int = 1) -> Source:
    """Return a declaration that says how to read a file, and nothing of its columns."""
    columns = {"query": "query", "product_id": "product_id"}
    return Source(kind="clicks", files=(str(path),), encoding=encoding, header_row=header_row, columns=columns)


def _is_header(names: Sequence[str]) -> bool:
    """Tell whether names of columns tell what a row is."""
    return "title" in find(names, PRODUCT_NAMES) or {"query", "product_id"} <= find(names, QUERY_NAMES).keys()


def _proposals(
    connection: duckdb.DuckDBPyConnection, files: Sequence[SourceFile], names: Sequence[str]
) -> list[Proposal]:
    heads = [head(connection, file) for file in files]
    shapes: dict[tuple[str, ...], list[int]] = {}
    for number, (file, frame) in enumerate(zip(files, heads, strict=True)):
        shapes.setdefault(
            (file.format, *sorted(frame.columns)) if file.format == "csv" else (file.format, str(number)), []
        ).append(number)
    proposals = []
    for numbers in shapes.values():
        first = numbers[0]
        proposals.append(_propose(connection, files[first], heads[first], tuple(names[number] for number in numbers)))
    return proposals


def _propose(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, frame: pl.DataFrame, names: tuple[str, ...]
) -> Proposal:
    if frame.is_empty():
        raise WarehouseError(f"{file.path} has no row below its header", "give a file with rows")
    clicks, queries = find(frame.columns, CLICK_NAMES), find(frame.columns, QUERY_NAMES)
    products = find(frame.columns, PRODUCT_NAMES)
    if "query" in clicks and "product_id" in clicks and any(each in clicks for each in _COUNTERS):
        return _clicks(file, frame, names, clicks)
    if "query" in queries and "product_id" in queries and "label" in queries:
        return _judgements(file, frame, names, queries)
    if "title" in products:
        return _products(connection, file, frame, names, products)
    raise WarehouseError(
        f"{file.path} holds neither products nor judgements nor clicks: it has {', '.join(frame.columns)}",
        "products have an id and a title; judgements a query, a product id and a label; clicks a query, a product id and clicks; "
        "declare the file by hand in stockroom.toml: docs/guides/shop-export.md",
    )


def _source(file: SourceFile, names: tuple[str, ...], kind: Kind, columns: Mapping[str, str], **more: object) -> Source:
    facts: dict[str, object] = {"kind": kind, "files": names, "columns": dict(columns)} | more
    if file.format == "csv":
        facts["delimiter"] = file.delimiter
    if file.encoding not in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        facts["encoding"] = file.encoding
    if file.header_row > 1:
        facts["header_row"] = file.header_row
    return Source.model_validate(facts)


def _filled(frame: pl.DataFrame, column: str) -> str:
    return f"filled in {frame[column].count():,} of {counted(frame.height, 'row')}"


def _clicks(file: SourceFile, frame: pl.DataFrame, names: tuple[str, ...], columns: dict[str, str]) -> Proposal:
    counters = [each for each in ("impressions", "clicks", "carts", "orders") if each in columns]
    rule: dict[str, object] = {}
    if counters:
        columns.pop("event", None)
    else:
        words = frame[columns["event"]].drop_nulls().unique().sort().to_list()
        events = {
            name: [word for word in words if any(part in word.casefold() for part in parts)]
            for name, parts in _EVENT_WORDS.items()
        }
        rule = {"events": {name: found for name, found in events.items() if found}}
    reasons = {meaning: _filled(frame, column) for meaning, column in columns.items()}
    left_out = {name: "a click log has no such column" for name in frame.columns if name not in columns.values()}
    return Proposal(
        _source(file, names, "clicks", columns, clicks=Clicks.model_validate(rule)), reasons, left_out, frame
    )


def _judgements(file: SourceFile, frame: pl.DataFrame, names: tuple[str, ...], columns: dict[str, str]) -> Proposal:
    labels, reason = _labels(frame[columns["label"]])
    if "split" in columns and not set(frame[columns["split"]].drop_nulls()) <= {"train", "test"}:
        del columns["split"]
    reasons = {meaning: _filled(frame, column) for meaning, column in columns.items()}
    reasons["label"] += f"; {reason}"
    left_out = {name: "a judgement has no such column" for name in frame.columns if name not in columns.values()}
    return Proposal(_source(file, names, "judgements", columns, labels=labels), reasons, left_out, frame)


def _labels(column: pl.Series) -> tuple[Labels, str]:
    """Return how a column of labels is read, and why."""
    values = column.drop_nulls().str.strip_chars().unique().sort().to_list()
    if {value.upper() for value in values} <= {"E", "S", "C", "I"}:
        return Labels(), "the letters E, S, C and I"
    numbers = pl.Series(values).cast(pl.Float64, strict=False)
    if numbers.null_count() == 0 and len(numbers):
        grades = sorted(set(numbers.to_list()), reverse=True)
        # the lowest grade is Irrelevant; the next higher ones are Complement and Substitute where there are so many
        steps = grades[:-1] if len(grades) > 1 else grades
        thresholds = dict(zip(("E", "S", "C"), [steps[0], *steps[1:][-2:]], strict=False))
        return Labels.model_validate(
            {"thresholds": thresholds}
        ), f"grades {', '.join(f'{grade:g}' for grade in sorted(grades)[:10])}"
    spelled: dict[str, list[str]] = {}
    for value in values:
        letter = next((label for start, label in _SPELLINGS.items() if value.casefold().startswith(start)), None)
        if letter:
            spelled.setdefault(letter, []).append(value)
    if "E" not in spelled:
        raise WarehouseError(
            f"no label means Exact: {', '.join(values[:10])}",
            'declare the file in stockroom.toml with [source.labels] values, such as E = ["good"]',
        )
    return Labels.model_validate({"values": spelled}), f"the words {', '.join(values[:10])}"


_SPELLINGS = {
    "exact": "E", "perfect": "E", "excellent": "E", "relevant": "E", "yes": "E", "true": "E", "highly": "E",
    "partial": "S", "substitute": "S", "good": "S", "somewhat": "S", "fair": "C", "complement": "C",
    "irrelevant": "I", "not": "I", "no": "I", "false": "I", "bad": "I",
}  # fmt: skip


def _products(
    connection: duckdb.DuckDBPyConnection,
    file: SourceFile,
    frame: pl.DataFrame,
    names: tuple[str, ...],
    columns: dict[str, str],
) -> Proposal:
    if "product_id" not in columns:
        unique = [
            name
            for name in frame.columns
            if frame[name].null_count() == 0 and frame[name].n_unique() == frame.height and name not in columns.values()
        ]
        short = [name for name in unique if frame.filter(pl.col(name).str.len_chars() > MAX_ID_LENGTH).is_empty()]
        if not short:
            raise WarehouseError(
                f"{file.path} has no column that is an id: it has {', '.join(frame.columns)}",
                "name the column in stockroom.toml: product_id under [source.columns]",
            )
        columns["product_id"] = short[0]
    key = [columns[meaning] for meaning in ("product_id", "locale") if meaning in columns]
    ids = frame.select(key).drop_nulls(columns["product_id"])
    folds = ids.n_unique() < _UNIQUE_SHARE * ids.height
    reasons = {meaning: _filled(frame, column) for meaning, column in columns.items()}
    if folds:
        reasons["product_id"] += f"; {ids.n_unique():,} different ones: rows are variants"
    ordered = {meaning: columns[meaning] for meaning in PRODUCT_NAMES if meaning in columns}
    attributes: list[Attribute] = []
    left_out: dict[str, str] = {}
    for name in frame.columns:
        if name in columns.values():
            continue
        kind, reason = attribute_type(connection, name, frame[name])
        if kind is None:
            left_out[name] = reason
            continue
        own = attribute_name(name, {each.name for each in attributes})
        attributes.append(
            Attribute(
                name=own, column=name, type=kind, filter=kind != "url" and not frame[name].str.contains("//").any()
            )
        )
        reasons[own] = reason
    source = _source(file, names, "products", ordered, attributes=tuple(attributes), fold_variants=folds)
    return Proposal(source, reasons, left_out, frame)
