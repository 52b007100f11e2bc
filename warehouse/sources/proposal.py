"""Proposal: a declaration of files that nobody has declared, found from their names and first rows, with its reasons."""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import get_args

import duckdb
import polars as pl

from warehouse.contracts.tables.raw import MAX_ID_LENGTH
from warehouse.declaration.source import Attribute, Clicks, Kind, Labels, Source
from warehouse.errors import WarehouseError
from warehouse.lake.lake import connect
from warehouse.readers.format_detection import SourceFile, header_rows, source_file
from warehouse.readers.head import head
from warehouse.readers.missing_columns import column_names
from warehouse.sources.attribute_types import attribute_name, attribute_type, is_id_name
from warehouse.sources.meanings import (
    CLICK_NAMES,
    PRODUCT_NAMES,
    QUERY_NAMES,
    SURE_QUERY_NAMES,
    columns_for,
    find,
    language_of,
)
from warehouse.wording import counted

_COUNTERS = ("event", "impressions", "clicks", "carts", "orders")
_EVENT_WORDS = {
    "impressions": ("impression", "view", "show", "display"),
    "clicks": ("click", "select"),
    "carts": ("cart", "basket", "atc"),
    "orders": ("order", "purchase", "buy", "checkout", "conversion"),
}
_UNIQUE_SHARE = 0.95
_MATCH_SHARE = 0.1
_FALLBACK = "windows-1252"
_HEAD_CHARS = 1 << 16


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
        try:
            file = source_file(path, _reading(path, _FALLBACK))
        except WarehouseError:
            raise error from None  # of the encoding that is found out
    if file.format == "json" and not file.is_array:
        _refuse_wrapped(file)
    if file.format == "csv":
        lines = [line for line, names in header_rows(file).items() if _is_header(names)]
        line = next(
            (line for line in lines if line + 1 not in lines), 1
        )  # of labels and the names below them, the names
        if line > 1:
            return source_file(path, _reading(path, file.encoding, line))
    return file


def _refuse_wrapped(file: SourceFile) -> None:
    """Refuse a file of one object that has the rows in a list."""
    with file.text() as text:
        beginning = text.read(_HEAD_CHARS)
    first, _, rest = beginning.lstrip().partition("\n")
    wrapped = re.search(r'"([^"]+)"\s*:\s*\[\s*\{', beginning)
    if wrapped and not (rest.lstrip().startswith("{") and first.rstrip().endswith("}")):
        rows = wrapped[1]
        raise WarehouseError(
            f"{file.path} is one object, and has its rows in the list {rows}",
            f"write one row a line: jq -c '.{rows}[]' {shlex.quote(str(file.path))} > {rows}.jsonl",
        )


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
    shapes: dict[tuple[object, ...], list[int]] = {}
    for number, file in enumerate(files):
        columns = tuple(sorted(column_names(connection, file)))
        shapes.setdefault(
            (file.format, file.delimiter, file.quoting, _declared_encoding(file), file.header_row, columns), []
        ).append(number)
    tables = []
    for numbers in shapes.values():
        frame = pl.concat([head(connection, files[number]) for number in numbers], how="diagonal")
        if frame.is_empty():
            raise WarehouseError(f"{files[numbers[0]].path} has no row below its header", "give a file with rows")
        first = files[numbers[0]]
        filled = [name for name in frame.columns if name and first.names.count(name) < 2 and frame[name].count()]
        tables.append(_Table(first, frame, tuple(names[number] for number in numbers), tuple(filled)))
    judged = pl.concat([pl.Series("ids", [], pl.String), *(ids for table in tables for ids in table.judged_ids())])
    proposals = [proposal for table in tables for proposal in _propose(connection, table, judged)]
    kinds = {proposal.source.kind for proposal in proposals}
    for proposal in proposals:
        if proposal.source.kind == "judgements" and "query" not in proposal.source.columns and "queries" not in kinds:
            raise WarehouseError(
                f"{', '.join(proposal.source.files)} has query ids and no texts of queries",
                "give the file with the text of each query id, too",
            )
    return proposals


def _declared_encoding(file: SourceFile) -> str | None:
    """Return the encoding to declare; None for one that is found out."""
    return None if file.encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32") else file.encoding


@dataclass(frozen=True)
class _Table:
    """Hold the first rows of the files of one shape, the first file, how all are named, and the columns with a value."""

    file: SourceFile
    frame: pl.DataFrame
    names: tuple[str, ...]
    filled: tuple[str, ...]

    @cached_property
    def products(self) -> dict[str, str]:
        """Return the column of each meaning that a product may have."""
        lists = [name for name in self.filled if self.frame[name].drop_nulls().str.starts_with("[").all()]
        found = find([name for name in self.filled if name not in lists], PRODUCT_NAMES)
        joined = {
            meaning: PRODUCT_NAMES[meaning] for meaning in ("bullet_points", "description") if meaning not in found
        }
        return found | find(lists, joined)

    @cached_property
    def judgements(self) -> dict[str, str]:
        """Return the column of each meaning that a judgement may have; none where a name such as keywords says too little."""
        found = find(self.filled, QUERY_NAMES)
        is_told = (
            "query_id" in found or "title" not in self.products or len(find([found.get("query", "")], SURE_QUERY_NAMES))
        )
        return found if is_told else {}

    @cached_property
    def clicks(self) -> dict[str, str]:
        """Return the column of each meaning that a row of a click log may have, as for judgements."""
        return find(self.filled, CLICK_NAMES) if self.judgements else {}

    @property
    def is_clicks(self) -> bool:
        return {"query", "product_id"} <= self.clicks.keys() and any(each in self.clicks for each in _COUNTERS)

    @property
    def is_judgements(self) -> bool:
        return {"product_id", "label"} <= self.judgements.keys() and bool(
            {"query", "query_id"} & self.judgements.keys()
        )

    @property
    def is_queries(self) -> bool:
        return {"query", "query_id"} <= self.judgements.keys() and "product_id" not in self.judgements

    def judged_ids(self) -> Iterator[pl.Series]:
        """Yield the product ids of a click log or of judgements."""
        if self.is_clicks or self.is_judgements:
            yield (
                self.frame[(self.clicks if self.is_clicks else self.judgements)["product_id"]]
                .drop_nulls()
                .rename("ids")
            )


def _propose(connection: duckdb.DuckDBPyConnection, table: _Table, judged: pl.Series) -> list[Proposal]:
    if table.is_clicks:
        return [_clicks(table.file, table.frame, table.names, dict(table.clicks))]
    has_products = "title" in table.products
    if table.is_judgements:
        products = [_products(connection, table, judged, "products")] if has_products else []
        return [*products, _judgements(table.file, table.frame, table.names, dict(table.judgements))]
    if table.is_queries:
        return [_queries(table)]
    _refuse_one_row_an_attribute(table)
    if has_products:
        return [_products(connection, table, judged, "products")]
    if "product_id" in table.products and len(table.products) > 1:
        return [_products(connection, table, judged, "details")]
    repeated = [name for name in table.frame.columns if table.file.names.count(name) > 1]
    if find(repeated, PRODUCT_NAMES):
        raise WarehouseError(
            f"{table.file.path} has two columns of the name {', '.join(repeated)}", "rename one of the two in the file"
        )
    raise WarehouseError(
        f"{table.file.path} holds neither products nor judgements nor clicks: it has {', '.join(table.frame.columns)}",
        "products have an id and a title; judgements a query, a product id and a label; clicks a query, a product id and clicks; "
        "declare the file by hand in stockroom.toml: docs/guides/shop-export.md",
    )


def _refuse_one_row_an_attribute(table: _Table) -> None:
    """Refuse a file of names and values, whose name would be taken for a title."""
    plain = {column.casefold() for column in table.filled}
    if len(plain) <= 4 and "value" in plain and plain & {"name", "attribute", "key", "attribute_name"}:
        raise WarehouseError(
            f"{table.file.path} has one row per attribute ({', '.join(table.filled)}), not one per product",
            "leave the file out, or give a file with a column per attribute",
        )


def _queries(table: _Table) -> Proposal:
    own = ("query_id", "query", "locale", "split")
    columns = {meaning: name for meaning, name in table.judgements.items() if meaning in own}
    reasons = {meaning: _filled(table.frame, column) for meaning, column in columns.items()}
    left_out = {name: "a query has no such column" for name in table.frame.columns if name not in columns.values()}
    return Proposal(_source(table.file, table.names, "queries", columns), reasons, left_out, table.frame)


def _source(
    file: SourceFile, names: tuple[str, ...], kind: Kind, columns: Mapping[str, object], **more: object
) -> Source:
    facts: dict[str, object] = {"kind": kind, "files": names, "columns": dict(columns)} | more
    if file.format == "csv":
        facts["delimiter"] = file.delimiter
    if file.quoting != "doubled":
        facts["quoting"] = file.quoting
    if _declared_encoding(file) is not None:
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
    pair = frame.select(columns[each] for each in ("locale", "query_id", "query", "product_id") if each in columns)
    if pair.is_duplicated().any():
        labels = labels.model_copy(update={"combine": "mean" if labels.thresholds else "majority"})
        reason += "; several of one query and product"
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
        if any(grade % 1 for grade in grades) and len(grades) > 3:  # means of several raters
            return _mean_grades(grades)
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


def _mean_grades(grades: list[float]) -> tuple[Labels, str]:
    """Return thresholds at five, three and one sixth of the range of grades, each at the lowest grade that reaches it."""
    low, high = min(grades), max(grades)
    bounds = {"E": high - (high - low) / 6 - 0.01, "S": (high + low) / 2, "C": low + (high - low) / 6 - 0.01}
    thresholds = {label: min(grade for grade in grades if grade >= bound) for label, bound in bounds.items()}
    by_grade = {grade: label for label, grade in reversed(thresholds.items())}  # of one grade the more relevant label
    distinct = {label: grade for grade, label in sorted(by_grade.items(), reverse=True)}
    return Labels.model_validate({"thresholds": distinct}), f"grades from {low:g} to {high:g}"


_SPELLINGS = {
    "exact": "E", "perfect": "E", "excellent": "E", "relevant": "E", "yes": "E", "true": "E", "highly": "E",
    "partial": "S", "substitute": "S", "good": "S", "somewhat": "S", "fair": "C", "complement": "C",
    "irrelevant": "I", "not": "I", "no": "I", "false": "I", "bad": "I",
}  # fmt: skip


def _products(connection: duckdb.DuckDBPyConnection, table: _Table, judged: pl.Series, kind: Kind) -> Proposal:
    file, frame, names = table.file, table.frame, table.names
    columns = {
        meaning: column for meaning, column in table.products.items() if kind == "products" or meaning != "title"
    }
    columns["product_id"] = _id_column(table, judged)
    language = language_of(columns.get("title", "")) if "locale" not in columns else None
    key = [columns[meaning] for meaning in ("product_id", "locale") if meaning in columns]
    ids = frame.select(key).drop_nulls(columns["product_id"])
    folds = kind == "products" and ids.n_unique() < _UNIQUE_SHARE * ids.height
    reasons = {meaning: _filled(frame, column) for meaning, column in columns.items()}
    if folds:
        reasons["product_id"] += f"; {ids.n_unique():,} different ones: rows are variants"
    ordered: dict[str, object] = {meaning: columns[meaning] for meaning in PRODUCT_NAMES if meaning in columns}
    if language is not None:
        ordered["locale"], reasons["locale"] = {"constant": language}, f"the language of {columns['title']}"
    attributes: list[Attribute] = []
    left_out: dict[str, str] = {}
    repeated = {name for name in file.names if file.names.count(name) > 1}
    other = set(table.judgements.values()) if table.is_judgements else set()
    for name in frame.columns:
        if name in columns.values():
            continue
        if not name or name in repeated or name in other:
            left_out[name] = (
                "the file has two columns of this name" if name in repeated else "it says nothing of a product"
            )
            continue
        read, reason = attribute_type(connection, name, frame[name])
        if read is None:
            left_out[name] = reason
            continue
        if folds and read["type"] in ("category", "text") and _differs_within(frame, columns["product_id"], name):
            read, reason = {"type": "list"}, f"{reason}; variants of one product differ"
        own = attribute_name(name, {each.name for each in attributes})
        is_filtered = read["type"] != "url" and not frame[name].str.contains("//").any()
        attributes.append(Attribute.model_validate({"name": own, "column": name, "filter": is_filtered, **read}))
        reasons[own] = reason
    source = _source(file, names, kind, ordered, attributes=tuple(attributes), fold_variants=folds)
    return Proposal(source, reasons, left_out, frame)


def _differs_within(frame: pl.DataFrame, product_id: str, name: str) -> bool:
    """Tell whether the rows of one product have several short values in a column: a fold keeps all elements of a list alone."""
    filled = frame.select(product_id, name).filter(pl.col(name).str.strip_chars() != "")
    is_short = bool((filled[name].str.len_chars() <= MAX_ID_LENGTH).all())
    return is_short and filled.n_unique() > filled[product_id].n_unique()


def _id_column(table: _Table, judged: pl.Series) -> str:
    """Return the column of the id: filled in nearly every row, with the most of the judged ids, with the likeliest name."""
    frame = table.frame
    candidates = columns_for(table.filled, PRODUCT_NAMES["product_id"])
    if not candidates:
        named = [name for name in table.filled if name not in table.products.values() and is_id_name(name)]
        unique = [name for name in named if frame[name].n_unique() == frame.height]
        candidates = [name for name in unique if (frame[name].str.len_chars() <= MAX_ID_LENGTH).all()]
    if not candidates:
        raise WarehouseError(
            f"{table.file.path} has no column that is an id: it has {', '.join(frame.columns)}",
            "name the column in stockroom.toml: product_id under [source.columns]; or add a column sku to the file",
        )
    matches = {name: judged.is_in(frame[name].implode()).sum() for name in table.filled}
    likeliest = max(candidates, key=lambda name: (frame[name].count() >= _UNIQUE_SHARE * frame.height, matches[name]))
    if matches[likeliest]:
        return likeliest
    other = max(table.filled, key=lambda name: matches[name])
    is_id = matches[other] > _MATCH_SHARE * len(judged) and frame[other].n_unique() > frame.height / 2
    return other if is_id else likeliest
