"""Contracts: a dataframely schema, the name of its table, and everything derived from the two."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import dataframely as dy
import polars as pl

from warehouse.code_digest import code_digest

INPUT_HASH = "input_hash"
"""The last column of every table: the hash of a row's inputs."""

FIRST_TIME, LAST_TIME = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The range of times that every library can print and compare; the infinities are outside."""

_DUCKDB_TYPES: dict[pl.DataType | type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Int8: "TINYINT",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.Float32: "FLOAT",
    pl.Float64: "DOUBLE",
    pl.Boolean: "BOOLEAN",
    pl.Datetime: "TIMESTAMP WITH TIME ZONE",
    pl.List: "VARCHAR[]",
}


def about(meaning: str, tower: Literal["numeric", "categorical"] | None = None) -> dict[str, Any]:
    """Return a column's metadata: its meaning, and how it enters the towers, if it does."""
    return {"meaning": meaning, "tower": tower}


def key_column(meaning: str) -> dy.String:
    """Declare the column that names a row: text, never missing, unique in its table."""
    return dy.String(nullable=False, min_length=1, metadata=about(meaning) | {"key": True})


@dataclass(frozen=True)
class Contract:
    """Bind a schema to the name of its table.

    The schema's docstring begins with the grain ("One row per …"); the column made by `key_column` is the table's key.
    """

    table: str
    schema: type[dy.Schema]

    @property
    def grain(self) -> str:
        """Return the grain: the meaning of one row."""
        return (self.schema.__doc__ or "").strip().splitlines()[0]

    @property
    def description(self) -> str:
        """Return the table's description, the schema's whole docstring."""
        return "\n".join(line.strip() for line in (self.schema.__doc__ or "").strip().splitlines())

    @cached_property
    def key(self) -> str:
        """Return the name of the key column."""
        return next(name for name, column in self.columns.items() if (column.metadata or {}).get("key"))

    @cached_property
    def columns(self) -> dict[str, dy.Column]:
        """Return the declared columns by name, in order."""
        return dict(self.schema.columns())

    @cached_property
    def version(self) -> str:
        """Return a digest of columns and rules; when it changes, valid rows have to be checked again.

        Meanings and docstrings do not count.
        """
        schemas = [each for each in self.schema.__mro__ if issubclass(each, dy.Schema) and each is not dy.Schema]
        return code_digest(*schemas, simplify=_without_meaning)[:8]

    def meaning(self, column: str) -> str:
        """Return the meaning of a column."""
        return str((self.columns[column].metadata or {}).get("meaning", ""))

    def sql_type(self, column: str) -> str:
        """Return the DuckDB type of a column."""
        return _DUCKDB_TYPES[self.columns[column].dtype.base_type()]

    def tower_columns(self, how: Literal["numeric", "categorical"]) -> tuple[str, ...]:
        """Return the columns that enter the towers as numbers or as categories, in order of declaration."""
        return tuple(name for name, column in self.columns.items() if (column.metadata or {}).get("tower") == how)


def _without_meaning(call: ast.Call) -> ast.Call:
    """Return a call without the meaning of the column."""
    is_named = isinstance(call.func, ast.Name) and call.func.id in (about.__name__, key_column.__name__)
    return ast.Call(call.func, call.args[1:], call.keywords) if is_named else call


def split_rows(
    contract: Contract, frame: pl.DataFrame, also: Mapping[str, pl.Expr] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split a frame into the valid rows and the violations of the others.

    Args:
        contract: The contract.
        frame: The rows.
        also: Additional rules by name: expressions that are true, or null, for a valid row.

    Returns:
        The valid rows, and the violations: a frame (key, rule, row) with one row per violated rule, where `row` is the
        declared columns as JSON. Columns that the contract does not declare pass through. Keys need not be unique.
    """
    good, violations = _split_rows(contract, frame)
    for rule, holds in (also or {}).items():
        breaks = ~holds.fill_null(True)
        bad = frame.filter(breaks).select(key=contract.key, rule=pl.lit(rule), row=as_json(contract))
        good, violations = good.filter(~breaks), pl.concat([violations, bad])
    return good, violations


def _split_rows(contract: Contract, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    _, failure = contract.schema.filter(frame)
    if not len(failure):
        return frame, pl.DataFrame(schema=VIOLATION_SCHEMA)
    details = failure.details()
    rules = [name for name in details.columns if name not in contract.columns]
    violations = (
        details.select(contract.key, *rules, row=as_json(contract))
        .unpivot(rules, index=[contract.key, "row"], variable_name="rule")
        .filter(pl.col("value") == "invalid")
        .select(key=contract.key, rule=pl.col("rule").map_elements(rule_name, return_dtype=pl.String), row="row")
    )
    bad = failure.invalid()
    return frame.join(bad, on=bad.columns, how="anti", nulls_equal=True, maintain_order="left"), violations


def as_json(contract: Contract) -> pl.Expr:
    """Return the declared columns except the key as one JSON text; times out of range are null in it."""
    return pl.struct(
        _finite(name, column) for name, column in contract.columns.items() if name != contract.key
    ).struct.json_encode()


def _finite(name: str, column: dy.Column) -> pl.Expr:
    if not isinstance(column, dy.Datetime):
        return pl.col(name)
    return pl.when(pl.col(name).is_between(FIRST_TIME, LAST_TIME)).then(name)  # Polars cannot write the infinities


VIOLATION_SCHEMA = {"key": pl.String, "rule": pl.String, "row": pl.String}


def rule_name(rule: str) -> str:
    """Return the display name of a rule: `product_id|nullability` becomes `product_id_missing`."""
    column, bar, check = rule.partition("|")
    if not bar:
        return column
    return check.removeprefix("check__") if check.startswith("check__") else f"{column}_{_RULE_WORDS.get(check, check)}"


_RULE_WORDS = {"nullability": "missing", "min_length": "empty", "max_length": "too_long", "regex": "malformed"}
