"""A hit shows the values of columns that were asked for, as the release was built with them."""

import pytest

from orchestration.serving.shown_values import shown_columns
from warehouse.errors import WarehouseError


@pytest.mark.parametrize("find", ["search", "similar"])
def test_each_hit_has_the_values_of_the_release(home, searcher, find):
    key = searcher.search("tent", 1)[0].key
    asked = {"search": "tent", "similar": key}[find]
    hits = getattr(searcher, find)(asked, 5, show=["Brand", "title_chars"])
    with home.lake.reading(searcher.release.snapshot) as connection:
        rows = connection.execute(
            "SELECT key, brand, title_chars FROM staging.products JOIN features.products USING (key)"
        ).fetchall()
    expected = {key: {"brand": brand, "title_chars": chars} for key, brand, chars in rows}
    assert len(hits) == 5
    assert [hit.values for hit in hits] == [expected[hit.key] for hit in hits]
    assert hits[0].to_dict()["values"] == hits[0].values
    assert "values" not in getattr(searcher, find)(asked, 1)[0].to_dict()


def test_a_column_that_products_lack_is_refused_with_near_names(searcher):
    with pytest.raises(WarehouseError, match=r"products have no column 'colour'") as caught:
        searcher.search("tent", 1, show=["brand", "colour"])
    assert caught.value.hint.startswith("did you mean color")


def test_a_short_name_stands_for_the_first_feature_of_that_name(home, searcher, monkeypatch):
    columns = ("key", "price", "Products.Price", "stock.level")
    monkeypatch.setattr(type(home.online), "columns", lambda *_given: columns)
    assert shown_columns(home, searcher.release, ["PRICE", "products.price", "level"]) == {
        "price": "price",
        "products.price": "Products.Price",
        "level": "stock.level",
    }


def test_an_answer_says_that_no_product_has_a_word_of_the_query(searcher):
    assert searcher.answer("zzyzxq wvvkjh", 3).no_word_found
    assert len(searcher.answer("zzyzxq wvvkjh", 3).hits) == 3
    assert not searcher.answer(searcher.search("tent", 1)[0].title, 3).no_word_found
    assert not searcher.answer("zzyzxq wvvkjh", 3, mode="vector").no_word_found
