"""The rules of a contract, derived from its schema: the checks verify them and the registry lists them."""

from dataclasses import dataclass
from functools import partial

import dataframely as dy
import polars as pl

from warehouse.contracts.contract import Contract, rule_name

UNIQUE = "duplicate_key"
"""The rule that every contract has in addition to those of its schema: keys are unique."""

_NOT_NULL = "|nullability"
_DECLARED_RULE = type(dy.rule()(lambda _: pl.lit(True)))


@dataclass(frozen=True)
class Rule:
    """Hold a rule's name as in the quarantine, its columns, and the expression that is true for a valid row."""

    name: str
    columns: tuple[str, ...]
    holds: pl.Expr
    is_not_null: bool


def rules(contract: Contract) -> tuple[Rule, ...]:
    """Return the rules of the contract's schema: those declared with `@dy.rule`, and those of its columns."""
    schema = contract.schema
    declared = [(name, value) for cls in reversed(schema.__mro__) for name, value in vars(cls).items()]
    expressions = {name: value.validation_fn(schema) for name, value in declared if isinstance(value, _DECLARED_RULE)}
    for column, declaration in schema.columns().items():
        checks = declaration.validation_rules(pl.col(column))
        expressions |= {f"{column}|{check}": expression for check, expression in checks.items()}
    return tuple(
        Rule(rule_name(name), tuple(expression.meta.root_names()), expression, name.endswith(_NOT_NULL))
        for name, expression in expressions.items()
    )


def rule_names(contract: Contract, column: str | None = None) -> list[str]:
    """Return the names of all rules of a contract, or of those on one column, in alphabetical order."""
    names = [rule.name for rule in rules(contract) if column is None or column in rule.columns]
    return sorted([*names, UNIQUE] if column in (None, contract.key) else names)


def keeps_rules(contract: Contract) -> pl.Expr:
    """Return the expression that is true for a row that satisfies all rules; a rule that yields null counts as satisfied."""
    return pl.all_horizontal(rule.holds.fill_null(True) for rule in rules(contract))


def row_schema(contract: Contract) -> type[dy.Schema] | None:
    """Return a schema of the rules that need each row's values, with the key and the columns of these rules.

    Nulls and repeated keys are left out, since SQL counts them. None: no such rule.
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
