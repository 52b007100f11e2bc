"""Products and queries have a row for each set of time-series features among their judged pairs."""

import polars as pl

from assets.services.training_arrays import _product_rows, _query_rows

CATALOG = pl.DataFrame({"key": ["A", "B", "C"], "title": ["a", "b", "c"], "prices.price": [1.0, None, 3.0]})


def test_products_stand_once_as_the_catalog_has_them_and_once_more_wherever_a_pair_saw_something_else() -> None:
    pairs = pl.DataFrame(
        {
            "product_key": ["A", "A", "A", "B", "C", "B"],
            "prices.price": [1.0, 2.0, 2.0, None, None, 5.0],
        }
    )
    products, product_row, index = _product_rows(CATALOG, pairs, ["prices.price"])
    assert products.select("key", "title", "prices.price").rows() == [
        ("A", "a", 1.0),
        ("B", "b", None),
        ("C", "c", 3.0),
        ("A", "a", 2.0),
        ("C", "c", None),
        ("B", "b", 5.0),
    ]
    assert product_row.tolist() == [0, 1, 2, 0, 2, 1]
    assert index.tolist() == [0, 3, 3, 1, 4, 5]


def test_without_time_series_features_every_row_is_itself() -> None:
    pairs = pl.DataFrame({"product_key": ["C", "A"], "query_key": ["q2", "q1"]})
    products, product_row, index = _product_rows(CATALOG, pairs, [])
    assert products.equals(CATALOG)
    assert (product_row.tolist(), index.tolist()) == ([0, 1, 2], [2, 0])
    queries_read = pl.DataFrame({"key": ["q1", "q2", "q3"]})
    queries, group, index = _query_rows(queries_read, pairs, [])
    assert queries.equals(queries_read)
    assert (group.tolist(), index.tolist()) == ([0, 1, 2], [1, 0])


def test_queries_stand_once_for_each_set_of_features_that_they_were_judged_with() -> None:
    queries_read = pl.DataFrame({"key": ["q1", "q2", "q3"], "query_words": [1, 2, 3]})
    pairs = pl.DataFrame({"query_key": ["q3", "q1", "q3", "q3"], "groups.age": [20.0, None, None, 20.0]})
    queries, group, index = _query_rows(queries_read, pairs, ["groups.age"])
    assert queries.select("key", "query_words", "groups.age").rows() == [
        ("q1", 1, None),
        ("q3", 3, 20.0),
        ("q3", 3, None),
    ]
    assert group.tolist() == [0, 2, 2]
    assert index.tolist() == [1, 0, 2, 1]
