"""Product filters: a condition in SQL's own syntax over a product's columns, parsed into operators that only compare.

Text compares without regard to case. The filter runs on the lake at a release's snapshot, so that it may use every cleaned
column and every feature of a product. It runs before products are ranked, so that a search for k products finds k if there are k.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import duckdb

from warehouse.contracts.locales import normalized_key, normalized_locale
from warehouse.contracts.registry import CONTRACTS
from warehouse.contracts.time_series import FeatureView
from warehouse.errors import WarehouseError, first_line

_TABLES = ("staging.products", "features.products")
_LEFT_OUT = {"staging.products": ("title_words", "body_words", "amounts", "input_hash")}
_MOST_CHARS = 10_000
_SYNTAX = "a filter has comparisons, AND, OR, NOT, IN, BETWEEN, LIKE and IS NULL over: "
TEXT, NUMBER, FLAG, LIST, DAY = "text", "a number", "true or false", "a list", "a day"
_KINDS = {"VARCHAR": TEXT, "BOOLEAN": FLAG, "VARCHAR[]": LIST, "TIMESTAMP WITH TIME ZONE": DAY}


@dataclass(frozen=True)
class ProductFilter:
    """Hold a condition over the columns of a product.

    Attributes:
        sql: the condition, of operators that only compare.
        views: the static feature views whose columns it may name.
    """

    sql: str
    views: tuple[FeatureView, ...] = ()

    @classmethod
    def parse(cls, text: str, views: Sequence[FeatureView] = ()) -> "ProductFilter":
        """Parse a condition over the own columns of products and those of static feature views that can be filtered.

        Raises:
            WarehouseError: The condition cannot be parsed, names an unknown column, compares text with a number, or holds
                anything but comparisons.
        """
        from sqlglot import exp, parse
        from sqlglot.errors import SqlglotError

        columns = filter_columns(views)
        hint = _hint(columns)
        if not text.strip():
            raise WarehouseError("the filter is empty", hint)
        if len(text) > _MOST_CHARS:
            raise WarehouseError(f"the filter has {len(text):,} characters", f"use at most {_MOST_CHARS:,}")
        try:
            statements = parse(f"SELECT 1 WHERE (\n{text}\n)", dialect="duckdb")
        except SqlglotError as error:
            raise WarehouseError(f"the filter {text!r} cannot be parsed: {_place(error)}", hint) from error
        except RecursionError:
            raise WarehouseError("the filter is nested too deeply", "use fewer operators") from None
        tree = statements[0] if len(statements) == 1 else None
        where = tree.args.get("where") if isinstance(tree, exp.Select) else None
        clauses = {name for name, value in tree.args.items() if value} if tree is not None else set()
        if where is None or clauses != {"expressions", "where"} or not isinstance(where.this, exp.Paren):
            raise WarehouseError(f"the filter {text!r} is more than one condition", hint)
        condition = where.this.this
        kinds = _operators()
        for node in condition.walk():
            if not isinstance(node, kinds):
                raise WarehouseError(f"the filter holds {node.sql('duckdb')!r}, which does not only compare", hint)
        for column in condition.find_all(exp.Column):
            _check_column(column.sql("duckdb"), column.name, columns)
        _check_kind(condition, columns)
        lowered = condition.transform(lambda node: exp.Literal.string(_compared(node)) if _is_text(node) else node)
        return cls(lowered.sql("duckdb"), tuple(views))

    def keys(self, connection: duckdb.DuckDBPyConnection) -> list[str]:
        """Return the keys of the products of a lake that meet the condition, sorted."""
        columns = filter_columns(self.views)
        selected = []
        for name, (_, kind) in columns.items():
            value = value_sql(name, columns)
            lowered = {TEXT: f"lower({value})", LIST: f"list_transform({value}, lambda each: lower(each))"}
            selected.append(f'{lowered.get(kind, value)} AS "{name}"')
        query = (
            f"SELECT found_key FROM (SELECT staging.key AS found_key, {', '.join(selected)} "
            f"FROM {joined_tables(self.views)}) WHERE {self.sql} ORDER BY found_key"
        )
        try:
            return [key for (key,) in connection.execute(query).fetchall()]
        except duckdb.Error as error:
            raise WarehouseError(f"the filter cannot be used: {first_line(error)}", _hint(columns)) from error


Columns = dict[str, tuple[str, str]]
"""The columns that a filter may name: the table of each, and the kind of its values in words."""


def filter_columns(views: Sequence[FeatureView] = ()) -> Columns:
    """Return the own columns of products, and the columns of static feature views that can be filtered.

    A time is compared as text, by its day as 2024-12-31.
    """
    columns = dict(_own_columns())
    for view in views:
        contract = view.contract
        for column in view.columns:
            if column.filter:
                columns.setdefault(column.name, (view.table, _KINDS.get(contract.sql_type(column.name), NUMBER)))
    return columns


def value_sql(name: str, columns: Columns) -> str:
    """Return the SQL of a column's value over `joined_tables`."""
    table, kind = columns[name]
    value = f'{_alias(table)}."{name}"'
    return f"strftime({value}, '%Y-%m-%d')" if kind == DAY else value


def joined_tables(views: Sequence[FeatureView]) -> str:
    """Return the SQL of the tables of products joined, with those of static feature views."""
    own = "staging.products AS staging JOIN features.products AS features USING (key)"
    return own + "".join(f" LEFT JOIN {view.table} AS {_alias(view.table)} USING (key)" for view in views)


@cache
def _own_columns() -> Columns:
    columns: Columns = {}
    for table in _TABLES:
        contract = CONTRACTS[table]
        for name in contract.columns:
            if name not in _LEFT_OUT.get(table, ()):
                columns.setdefault(name, (table, _KINDS.get(contract.sql_type(name), NUMBER)))
    return columns


def _alias(table: str) -> str:
    return table.split(".")[0] if table in _TABLES else table.replace(".", "_")


@cache
def _operators() -> tuple[type[Any], ...]:
    from sqlglot import exp

    return (
        *(exp.And, exp.Or, exp.Not, exp.Paren, exp.Tuple, exp.In, exp.Between, exp.Like, exp.ILike, exp.Is, exp.Null),
        *(
            exp.EQ,
            exp.NEQ,
            exp.LT,
            exp.LTE,
            exp.GT,
            exp.GTE,
            exp.Column,
            exp.Identifier,
            exp.Literal,
            exp.Boolean,
            exp.Neg,
        ),
    )


def _check_column(spelled: str, name: str, columns: Columns) -> None:
    if spelled.strip('"') != name or name.lower() not in columns:
        near = difflib.get_close_matches(name.lower(), columns, 3)
        raise WarehouseError(
            f"the filter names {spelled}, and products have no such column",
            (f"did you mean {', '.join(near)}? " if near else "") + _hint(columns),
        )


def _check_kind(condition: Any, columns: Columns) -> None:
    """Refuse a comparison of values of two kinds, and a condition that is neither true nor false."""
    from sqlglot import exp

    for node in condition.find_all(
        exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Like, exp.ILike
    ):
        if isinstance(node, exp.In):
            field = node.args.get("field")
            if field is not None:
                _check_membership(node, columns)
                continue
            values = [node.this, *node.expressions]
        elif isinstance(node, exp.Between):
            values = [node.this, node.args["low"], node.args["high"]]
        else:
            values = [node.this, node.expression]
        kinds = {kind: value for value in values if (kind := _kind(value, columns)) is not None}
        if DAY in kinds and not isinstance(node, exp.Like | exp.ILike):
            _refuse_other_than_days(kinds[DAY], values, columns)
        if DAY in kinds:  # a text of the form 2024-12-31
            kinds.setdefault(TEXT, kinds.pop(DAY))
        if isinstance(node, exp.Like | exp.ILike):
            kinds.setdefault(TEXT, node)
        if len(kinds) > 1:
            (first, one), (second, other) = list(kinds.items())[:2]
            raise WarehouseError(
                f"the filter compares {one.sql('duckdb')}, which is {first}, with {other.sql('duckdb')}, which is {second}",
                "text stands between single quotes, a number without: brand = 'sony' AND title_price < 50; "
                "of a list, one element is compared: 'red' IN tags",
            )
    outer = condition
    while isinstance(outer, exp.Paren | exp.Not):
        outer = outer.this
    if _kind(outer, columns) in (TEXT, NUMBER, LIST, DAY):
        raise WarehouseError(f"the filter {condition.sql('duckdb')} is no condition", _hint(columns))


def _refuse_other_than_days(column: Any, values: Sequence[Any], columns: Columns) -> None:
    """Refuse the comparison of a day with a text that is none, or with a column of text."""
    for value in values:
        if _kind(value, columns) == TEXT and not (_is_text(value.unnest()) and _is_day(value.unnest().this)):
            raise WarehouseError(
                f"the filter compares {column.sql('duckdb')}, which is a day, with {value.sql('duckdb')}, which is none",
                f"write a day as year, month and day: {column.sql('duckdb')} >= '2024-12-31'",
            )


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_membership(node: Any, columns: Columns) -> None:
    """Refuse `text IN column`, unless the column is a list."""
    one, other = node.this, node.args["field"]
    if _kind(one, columns) != TEXT or _kind(other, columns) != LIST:
        raise WarehouseError(
            f"the filter looks for {one.sql('duckdb')} in {other.sql('duckdb')}, which is not a list of text",
            "values stand between parentheses: brand IN ('sony'); a list stands alone: 'red' IN tags",
        )


def _kind(node: Any, columns: Columns) -> str | None:
    from sqlglot import exp

    if isinstance(node, exp.Paren | exp.Neg):
        return _kind(node.this, columns)
    if isinstance(node, exp.Column):
        return columns[node.name.lower()][1]
    if isinstance(node, exp.Literal):
        return TEXT if node.is_string else NUMBER
    return FLAG if isinstance(node, exp.Boolean) else None


def _is_text(node: Any) -> bool:
    from sqlglot import exp

    return isinstance(node, exp.Literal) and node.is_string


def _compared(literal: Any) -> str:
    """Return a text as it is compared: in lower case, a locale and a key in their normal form."""
    from sqlglot import exp

    text = str(literal.this).lower()
    compared = literal.parent
    while isinstance(compared, exp.Paren):
        compared = compared.parent
    sides = [side.unnest() for side in compared.args.values() if isinstance(side, exp.Expression)] if compared else []
    names = {side.name.lower() for side in sides if isinstance(side, exp.Column)}
    if "locale" in names and not isinstance(compared, exp.Like | exp.ILike):
        return normalized_locale(text) or text
    return normalized_key(text) if "key" in names else text


def _place(error: Any) -> str:
    """Return the place and reason of a parse error, counted in the filter's own lines."""
    facts = error.errors[0] if getattr(error, "errors", None) else {}
    if not facts:
        return first_line(error)
    if facts.get("description", "").startswith("Required keyword"):
        return "a value is missing"
    line = max((facts.get("line") or 2) - 1, 1)
    where = f"line {line}, column {facts.get('col')}" if line > 1 else f"column {facts.get('col')}"
    return f"{facts.get('description', '').rstrip('.')} at {where}, near {facts.get('highlight')!r}"


def _hint(columns: Columns) -> str:
    return _SYNTAX + ", ".join(columns)
