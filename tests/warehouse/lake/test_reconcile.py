import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from warehouse.lake.reconcile import plan

Table = dict[str, str]
TABLES = st.dictionaries(st.text("abcd", min_size=1, max_size=3), st.text("xy", max_size=2), max_size=12)


def frame(table: Table) -> pl.DataFrame:
    return pl.DataFrame(
        {"key": list(table), "input_hash": list(table.values())}, schema={"key": str, "input_hash": str}
    )


def apply(desired: Table, current: Table) -> Table:
    """Apply a plan to a dictionary, independently of the tables."""
    change = plan(frame(desired), frame(current))
    obsolete, upsert = set(change.obsolete["key"]), set(change.upsert["key"])
    return {key: value for key, value in current.items() if key not in obsolete} | {key: desired[key] for key in upsert}


def test_names_what_to_insert_update_and_delete() -> None:
    change = plan(frame({"same": "1", "changed": "2", "new": "1"}), frame({"same": "1", "changed": "1", "gone": "1"}))
    assert change.insert["key"].to_list() == ["new"]
    assert change.update["key"].to_list() == ["changed"]
    assert change.delete["key"].to_list() == ["gone"]
    assert change.counts == {"inserted": 1, "updated": 1, "deleted": 1}
    assert set(change.upsert["key"]) == {"new", "changed"}
    assert set(change.obsolete["key"]) == {"gone", "changed"}
    assert not change.is_empty


def test_compares_the_columns_it_is_told() -> None:
    desired = pl.DataFrame({"id": ["a"], "hash": ["1"], "other": [0]})
    assert_frame_equal(
        plan(desired, desired.with_columns(hash=pl.lit("2")), "id", "hash").update, pl.DataFrame({"key": ["a"]})
    )


@settings(max_examples=50)
@given(TABLES, TABLES)
def test_applying_the_plan_gives_what_is_desired(desired: Table, current: Table) -> None:
    assert apply(desired, current) == desired


@settings(max_examples=50)
@given(TABLES, TABLES)
def test_after_applying_the_plan_nothing_is_left_to_do(desired: Table, current: Table) -> None:
    assert plan(frame(desired), frame(apply(desired, current))).is_empty


@settings(max_examples=50)
@given(TABLES, TABLES)
def test_no_key_stands_twice_and_unchanged_rows_are_left_alone(desired: Table, current: Table) -> None:
    change = plan(frame(desired), frame(current))
    named = [*change.insert["key"], *change.update["key"], *change.delete["key"]]
    assert len(named) == len(set(named))
    assert set(named) == {key for key in desired.keys() | current.keys() if desired.get(key) != current.get(key)}


@settings(max_examples=50)
@given(TABLES)
def test_is_empty_for_equal_tables_in_any_order(table: Table) -> None:
    assert plan(frame(table), frame(dict(reversed(table.items())))).is_empty
