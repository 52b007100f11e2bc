"""What a run touched: rows before and after, counts, and the data versions that follow without a look at the table."""

from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse import tables
from warehouse.contracts.contract import INPUT_HASH
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import Lake
from warehouse.reconcile import Plan
from warehouse.settings import WarehouseSettings
from warehouse.tables import Written
from warehouse.touched import Touched

VOCABULARY = CONTRACTS["fitted.vocabulary"]
HASHES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("123"))


def frame(rows: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame({"key": list(rows), INPUT_HASH: list(rows.values())}, schema=tables.HASHES)


@given(states=st.lists(HASHES, min_size=2, max_size=5))
def test_what_is_left_is_the_difference_of_the_first_and_the_last_state(states: list[dict[str, str]]) -> None:
    touched = Touched(point=1)
    for before, after in pairwise(states):
        gone = {key: row for key, row in before.items() if after.get(key) != row}
        new = {key: row for key, row in after.items() if before.get(key) != row}
        touched.note("t", frame(gone), frame(new))
    first, last = states[0], states[-1]
    expected = [
        {"key": key, "old": first.get(key), "new": last.get(key)}
        for key in sorted({*first, *last})
        if first.get(key) != last.get(key)
    ]
    assert touched.rows("t").to_dicts() == expected
    assert touched.written("t") == Written(
        inserted=sum(row["old"] is None for row in expected),
        updated=sum(None not in row.values() for row in expected),
        deleted=sum(row["new"] is None for row in expected),
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", WarehouseSettings(threads=1))


def put(lake: Lake, counts: dict[str, int], touched: Touched | None = None) -> Plan:
    rows = [
        {"key": f"brand:{name}", "id": 1, "kind": "brand", "value": name, "products": count, "share": 0.5}
        for name, count in counts.items()
    ]
    with lake.writing() as connection:
        given = pl.DataFrame(rows, schema=dict.fromkeys(VOCABULARY.columns, None))
        return tables.refresh_from(connection, VOCABULARY, given, touched=touched)


def test_a_version_follows_from_the_one_before_and_the_rows_that_changed(lake: Lake) -> None:
    put(lake, {"acme": 1, "nike": 2})
    with lake.reading() as connection:
        touched = Touched(1, {VOCABULARY.table: tables.fingerprint(connection, VOCABULARY)})
    for counts in ({"acme": 1, "nike": 3, "puma": 1}, {"puma": 1}, {"acme": 1, "nike": 2}):
        put(lake, counts, touched)
        with lake.reading() as connection:
            assert tables.fingerprint(connection, VOCABULARY) == touched.version(VOCABULARY.table)
    assert not touched.any(VOCABULARY.table), "it is again what it was"


def test_of_a_table_without_a_known_version_none_is_told() -> None:
    assert Touched(1).version("staging.products") is None


def test_a_failed_transaction_leaves_nothing_to_rely_on(lake: Lake) -> None:
    put(lake, {"acme": 1})
    lake.touched = Touched(1)
    with pytest.raises(KeyError), lake.writing():
        raise KeyError
    assert lake.touched is None


def test_sql_sees_the_touched_rows_of_all_tables(lake: Lake) -> None:
    touched = Touched(1)
    touched.note("t", frame({"a": "1"}), frame({"a": "2"}))
    touched.note("u", frame({}), frame({"b": "1"}))
    with lake.writing() as connection:
        touched.register(connection)
        found = connection.execute('SELECT "table", key, old, new FROM touched ORDER BY ALL').fetchall()
    assert found == [("t", "a", "1", "2"), ("u", "b", None, "1")]
