"""Facets: the counts of values, the ranges of numbers, and that each value's filter keeps the products that it counts."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import duckdb
import pytest

from warehouse.errors import WarehouseError
from warehouse.lake.lake import Lake
from warehouse.search.facets import Facet, check_columns, count_facets
from warehouse.search.product_filter import ProductFilter, filter_columns


@pytest.fixture
def catalog() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database with empty product tables of every column that a filter may name."""
    connection = duckdb.connect()
    kinds = {"text": "VARCHAR", "a number": "DOUBLE", "true or false": "BOOLEAN"}
    for table in ("staging.products", "features.products"):
        columns = {"key": "text"} | {name: kind for name, (own, kind) in filter_columns().items() if own == table}
        connection.execute(f"CREATE SCHEMA {table.split('.')[0]}")
        listed = ", ".join(f'"{name}" {kinds[kind]}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE {table} ({listed})")
    yield connection
    connection.close()


@pytest.fixture
def counted(catalog: duckdb.DuckDBPyConnection) -> Callable[..., Facet]:
    """Return a function that counts the values of one column, each of a product of its own."""

    def count(column: str, values: Sequence[Any], most: int = 10) -> Facet:
        keys = [f"us:P{number}" for number in range(len(values))]
        for table in ("staging.products", "features.products"):
            own = filter_columns()[column][0] == table
            rows = [(key, value) if own else (key,) for key, value in zip(keys, values, strict=True)]
            listed = "(key, " + column + ") VALUES (?, ?)" if own else "(key) VALUES (?)"
            catalog.executemany(f"INSERT INTO {table} {listed}", rows)
        (facet,) = count_facets(catalog, keys, [column], most)
        for each in facet.values:
            assert len(ProductFilter.parse(each.where).keys(catalog)) == each.count, each
        return facet

    return count


def shown(facet: Facet) -> list[tuple[str, int]]:
    return [(each.value, each.count) for each in facet.values]


def test_texts_count_without_case_under_their_most_frequent_spelling(counted: Callable[..., Facet]) -> None:
    facet = counted("brand", ["Sony", "SONY", "Sony", "LG", "L'Oréal", None])
    assert shown(facet) == [("Sony", 3), ("L'Oréal", 1), ("LG", 1)]
    assert (facet.more, facet.without) == (0, 1)
    assert facet.values[1].where == "brand = 'l''oréal'"


def test_only_the_most_frequent_texts_are_listed(counted: Callable[..., Facet]) -> None:
    facet = counted("color", ["red", "red", "blue", "blue", "blue", "green", "black"], most=2)
    assert shown(facet) == [("blue", 3), ("red", 2)]
    assert facet.more == 2


def test_flags_are_true_or_false(counted: Callable[..., Facet]) -> None:
    assert shown(counted("has_brand_in_title", [True, False, True, None])) == [("false", 1), ("true", 2)]


def test_few_different_numbers_are_counted_one_by_one(counted: Callable[..., Facet]) -> None:
    facet = counted("title_price", [9.99, 5, 9.99, -2.5, None])
    assert shown(facet) == [("-2.5", 1), ("5", 1), ("9.99", 2)]


@pytest.mark.parametrize(
    ("numbers", "ranges"),
    [
        (range(100), ["under 20", "20 to under 40", "40 to under 60", "60 to under 80", "80 and more"]),
        ([each / 1000 for each in range(100)], ["under 0.02", "0.02 to under 0.04"]),
        ([1450.5 + each for each in range(150)], ["under 1480", "1480 to under 1510"]),
        ([60 + each for each in range(67)], ["under 75", "75 to under 85", "85 to under 100"]),
        ([7] * 90 + [1, 2, 3, 4, 5, 900], ["under 7", "7 and more"]),
        ([1_000_000 * each for each in range(1, 11)], ["under 2000000"]),
    ],
)
def test_many_different_numbers_are_counted_in_round_ranges(
    counted: Callable[..., Facet], numbers: Sequence[float], ranges: list[str]
) -> None:
    facet = counted("weight_g", list(numbers))
    assert [value for value, _ in shown(facet)][: len(ranges)] == ranges
    assert sum(count for _, count in shown(facet)) == len(numbers)


def test_no_products_have_no_values(built: Lake) -> None:
    with built.reading() as connection:
        facets = count_facets(connection, [], ["brand", "title_price"])
        assert facets == (Facet("brand", (), 0, 0), Facet("title_price", (), 0, 0))
        assert count_facets(connection, ["us:P1"], []) == ()


def test_every_column_of_a_filter_has_a_facet_whose_filters_keep_what_it_counts(built: Lake) -> None:
    keys = ["es:P1", "jp:P3", "us:P1"]
    with built.reading() as connection:
        for facet in count_facets(connection, keys, list(filter_columns())):
            assert sum(each.count for each in facet.values) + facet.without == len(keys)
            for each in facet.values:
                assert len({*ProductFilter.parse(each.where).keys(connection)} & {*keys}) == each.count, each


def test_columns_are_checked(catalog: duckdb.DuckDBPyConnection) -> None:
    assert check_columns(["Brand", "color", "brand"]) == ("brand", "color")
    with pytest.raises(WarehouseError, match="products have no column 'brnd'") as refused:
        check_columns(["brnd"])
    assert "did you mean brand" in str(refused.value.hint)
    with pytest.raises(WarehouseError, match="facets of 0 values tell nothing"):
        count_facets(catalog, [], ["brand"], 0)
