"""The rules of a contract, taken from its one declaration: what the checks verify and the registry lists."""

from dataclasses import dataclass
from functools import partial

import dataframely as dy
import polars as pl

from warehouse.contracts.contract import Contract, rule_name

UNIQUE = "duplicate_key"
"""The rule that every contract has beside those of its schema: no two rows have one key."""

_NOT_NULL = "|nullability"


@dataclass(frozen=True)
class Rule:
    """Name a rule as the quarantine does, the columns it looks at, and the expression that is true for a good row."""

    name: str
    columns: tuple[str, ...]
    holds: pl.Expr
    is_not_null: bool


def rules(contract: Contract) -> tuple[Rule, ...]:
    """Return the rules of the contract's schema: those of its columns, and those declared with `@dy.rule`."""
    return tuple(
        Rule(rule_name(name), tuple(rule.expr.meta.root_names()), rule.expr, name.endswith(_NOT_NULL))
        for name, rule in contract.schema._validation_rules(with_cast=False).items()
    )


def rule_names(contract: Contract, column: str | None = None) -> list[str]:
    """Return the names of all rules of a contract, or of those that look at one column, in alphabetical order."""
    named = [rule.name for rule in rules(contract) if column is None or column in rule.columns]
    return sorted([*named, UNIQUE] if column in (None, contract.key) else named)


def keeps_rules(contract: Contract) -> pl.Expr:
    """Return the expression that is true for a row that keeps all rules; what a rule cannot tell of a missing value is kept."""
    return pl.all_horizontal(rule.holds.fill_null(True) for rule in rules(contract))


def row_schema(contract: Contract) -> type[dy.Schema] | None:
    """Return a schema of the rules that need a look into the rows, and of the key and the columns that they look at.

    What SQL answers by counting, nulls and equal keys, is left out. None: nothing is left.
    """
    checked = [rule for rule in rules(contract) if not rule.is_not_null]
    if not checked:
        return None
    columns = {contract.key, *(column for rule in checked for column in rule.columns)}
    body: dict[str, object] = {name: dy.Any() for name in contract.columns if name in columns}
    body |= {rule.name: dy.rule()(partial(_holds, rule)) for rule in checked}
    return type(f"{contract.schema.__name__}Rows", (dy.Schema,), body)


def _holds(rule: Rule, _: type[dy.Schema]) -> pl.Expr:
    return rule.holds
