"""How far a change is followed: to what hangs on it, and no further."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from warehouse import scopes, staging, tables
from warehouse.contracts.registry import CONTRACTS
from warehouse.ingest import ingest
from warehouse.lake import Lake
from warehouse.scopes import SCOPES
from warehouse.settings import WarehouseSettings
from warehouse.touched import Touched

STAGED, FEATURES = CONTRACTS["staging.products"], CONTRACTS["features.products"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", WarehouseSettings(threads=1))


def stage(lake: Lake, titles: dict[str, str], touched: Touched | None = None) -> None:
    rows = [{"key": f"us:{name}", "product_id": name, "locale": "us", "title": title} for name, title in titles.items()]
    whole = pl.DataFrame(rows).with_columns(
        pl.lit(None, pl.String).alias(name) for name in STAGED.columns if name not in rows[0]
    )
    with lake.writing() as connection:
        tables.refresh_from(connection, STAGED, whole, touched=touched)


def title_chars(lake: Lake) -> dict[str, int]:
    with lake.reading() as connection:
        return dict(connection.execute(f"SELECT product_id, title_chars FROM {FEATURES.table}").fetchall())


def test_only_rows_that_hang_on_what_was_touched_are_looked_at(lake: Lake) -> None:
    touched = Touched(1)
    stage(lake, {"A": "socks", "B": "socks"})
    with lake.writing() as connection:
        scopes.refresh(connection, FEATURES)
        connection.execute(f"UPDATE {FEATURES.table} SET title_chars = 0, input_hash = 'spoilt'")
    stage(lake, {"A": "warm socks", "B": "socks"}, touched)
    with lake.writing() as connection:
        assert scopes.refresh(connection, FEATURES, touched=touched).update["key"].to_list() == ["us:A"]
    assert title_chars(lake) == {"A": 10, "B": 0}
    assert touched.keys(FEATURES.table)["key"].to_list() == ["us:A"]
    with lake.writing() as connection:
        scopes.refresh(connection, FEATURES)  # the whole of it is mended
    assert title_chars(lake) == {"A": 10, "B": 5}


def test_rows_that_lose_what_they_are_made_from_go(lake: Lake) -> None:
    touched = Touched(1)
    stage(lake, {"A": "socks", "B": "socks"})
    with lake.writing() as connection:
        scopes.refresh(connection, FEATURES)
    stage(lake, {"B": "socks"}, touched)
    with lake.writing() as connection:
        assert scopes.refresh(connection, FEATURES, touched=touched).delete["key"].to_list() == ["us:A"]
    assert title_chars(lake) == {"B": 5}


def test_where_nothing_was_touched_nothing_is_done(lake: Lake) -> None:
    with lake.writing() as connection:  # there is no table that could be asked
        for name, scope in SCOPES.items():
            assert scopes.affected(connection, name, Touched(1)).is_empty(), scope


def test_a_query_reads_the_wanted_rows_of_a_table_wherever_it_names_it(lake: Lake) -> None:
    stage(lake, {"A": "socks", "B": "shoes"})
    with lake.reading() as connection:
        query = (
            "-- staging.products\nselect a.title, b.title from staging.products as a JOIN staging.products as b on true"
        )
        narrow = scopes.narrowed(connection, query, {"staging.products": "product_id = 'A'"})
        assert connection.sql(narrow).fetchall() == [("socks", "socks")]
        with pytest.raises(AssertionError, match="does not read raw"):
            scopes.narrowed(connection, query, {"raw.products": "true"})


def test_a_source_that_changed_reaches_the_queries_that_it_tells_of(built: Lake, write: Callable[..., Path]) -> None:
    built.touched = Touched(built.snapshot())
    ingest(built, write(sources="query_id,source\n1,other\n"))
    staging.refresh_queries(built)
    with built.reading() as connection:
        found = dict(connection.sql("SELECT query_id, source FROM staging.queries").fetchall())
    assert found.pop(1) == "other"
    assert set(found.values()) == {None}
