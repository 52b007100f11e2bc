import dataframely as dy
import polars as pl

from warehouse.contracts.contract import Contract, about, key_column
from warehouse.contracts.rules import row_schema, rule_names, rules


class Boxes(dy.Schema):
    """One row per box."""

    key = key_column("box")
    width = dy.Int32(nullable=False, min=1, metadata=about("in mm"))
    height = dy.Int32(nullable=True, metadata=about("in mm"))
    note = dy.String(nullable=True, metadata=about("free text"))

    @dy.rule()
    def lies_flat(cls) -> pl.Expr:
        """A box is not higher than wide."""
        return pl.col("height") <= pl.col("width")


BOXES = Contract("test.boxes", Boxes)


class Notes(dy.Schema):
    """One row per note, with a key of any form."""

    key = dy.String(nullable=False, metadata=about("note") | {"key": True})


def test_rules_come_from_columns_from_schema_and_from_the_key() -> None:
    assert rule_names(BOXES) == ["duplicate_key", "key_empty", "key_missing", "lies_flat", "width_min", "width_missing"]
    assert {rule.name: rule.columns for rule in rules(BOXES)}["lies_flat"] == ("height", "width")


def test_rules_of_a_column_are_those_that_look_at_it() -> None:
    assert rule_names(BOXES, "height") == ["lies_flat"]
    assert rule_names(BOXES, "key") == ["duplicate_key", "key_empty", "key_missing"]
    assert rule_names(BOXES, "note") == []


def test_only_columns_that_rules_need_are_looked_at() -> None:
    schema = row_schema(BOXES)
    assert schema is not None
    assert schema.column_names() == ["key", "width", "height"]
    good, failure = schema.filter(pl.DataFrame({"key": ["a", "b"], "width": [1, 0], "height": [1, 2]}))
    assert good["key"].to_list() == ["a"]
    assert failure.counts() == {"lies_flat": 1, "width_min": 1}


def test_nothing_is_looked_at_where_sql_answers_everything() -> None:
    assert row_schema(Contract("test.notes", Notes)) is None
