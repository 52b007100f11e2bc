"""Product filters: what a condition keeps, and what is no condition."""

import pytest

from warehouse.contracts.time_series import FeatureView, FeatureViewColumn
from warehouse.errors import WarehouseError
from warehouse.lake.lake import Lake
from warehouse.search.product_filter import ProductFilter, filter_columns

ALL = ["es:P1", "jp:P3", "us:P1", "us:P2"]


def kept(lake: Lake, text: str) -> list[str]:
    with lake.reading() as connection:
        return ProductFilter.parse(text).keys(connection)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("brand = 'nike'", ["es:P1", "us:P1"]),
        ("BRAND = 'Nike' AND color = 'RED'", ["us:P1"]),
        ("brand <> 'nike'", ["jp:P3"]),  # no brand is neither
        ("brand IS NULL", ["us:P2"]),
        ("NOT brand IS NULL", ["es:P1", "jp:P3", "us:P1"]),
        ("title LIKE '%Shoes%'", ["us:P1"]),
        ("title ILIKE 'plain%' OR locale IN ('ES', 'jp')", ["es:P1", "jp:P3", "us:P2"]),
        ("title_numbers BETWEEN 1 AND 2", ["us:P1"]),
        ("title_chars >= 10 AND NOT (locale = 'jp')", ["es:P1", "us:P1"]),
        ("title_numbers > -1", ALL),
        ("has_brand_in_title", ["us:P1"]),
        ("has_brand_in_title = false", ["es:P1", "jp:P3", "us:P2"]),
        ("key = 'US:p2'", ["us:P2"]),
        ("locale = ' US '", ["us:P1", "us:P2"]),
        ("('JP') = locale OR locale IN (('Es'))", ["es:P1", "jp:P3"]),
        ("locale LIKE 'U%'", ["us:P1", "us:P2"]),
        ("title = ''' OR 1=1 --'", []),
        ("brand = 'nike' -- a comment", ["es:P1", "us:P1"]),
    ],
)
def test_a_condition_keeps_the_products_that_meet_it(built: Lake, text: str, keys: list[str]) -> None:
    assert kept(built, text) == keys


@pytest.mark.parametrize("text", ["locale = 'en_US'", "locale IN ('EN-us')", "(key) <> 'en_US:P1'", "key = 'pt_BR:P1'"])
def test_locales_are_compared_in_their_normal_form(text: str) -> None:
    assert "_" not in ProductFilter.parse(text).sql


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  ", "the filter is empty"),
        ("x" * 10_001, "the filter has 10,001 characters"),
        ("brand = ", "cannot be parsed"),
        ("brand = 'a' AND", "cannot be parsed"),
        ("true); DROP TABLE staging.products; (true", "more than one condition"),
        ("true) OR (true", "more than one condition|cannot be parsed"),
        ("true) ORDER BY (1", "more than one condition"),
        ("brnd = 'a'", "names brnd, and products have no such column"),
        ("title_chars = 1 AND body_words = 'a'", "body_words, and products have no such column"),
        ("staging.brand = 'a'", "staging.brand, and products have no such column"),
        ("lower(brand) = 'a'", "does not only compare"),
        ("title_chars + 1 > 2", "does not only compare"),
        ("brand IN (SELECT brand FROM staging.products)", "does not only compare"),
        ("read_text('/etc/passwd') = 'a'", "does not only compare"),
        ("brand = 7", "brand, which is text, with 7, which is a number"),
        ("title_chars IN (1, 'a')", "which is a number, with 'a', which is text"),
        ("title_chars LIKE '1%'", "which is a number"),
        ("has_brand_in_title = 1", "which is true or false, with 1, which is a number"),
        ("brand", "is no condition"),
        ("NOT (7)", "is no condition"),
    ],
)
def test_what_is_no_condition_over_a_product_is_refused(text: str, message: str) -> None:
    with pytest.raises(WarehouseError, match=message):
        ProductFilter.parse(text)


RELEASED = FeatureView(
    name="products",
    file="attributes.parquet",
    entity="product",
    key=("product_locale", "product_id"),
    columns=(FeatureViewColumn(name="released", meaning="first day of sale", type="time", filter=True),),
)


@pytest.mark.parametrize(
    "text",
    [
        "released >= '20.05.2024'",
        "'2024-02-30' = released",
        "released IN ('2024-05-20', 'today')",
        "released BETWEEN '2024-05-20' AND ('2024-5-21')",
        "released < '2024-05-20 10:00'",
        "released = brand",
    ],
)
def test_a_day_is_compared_with_days_alone(text: str) -> None:
    with pytest.raises(WarehouseError, match=r"compares released, which is a day, with .*, which is none"):
        ProductFilter.parse(text, [RELEASED])


@pytest.mark.parametrize("text", ["released >= '2024-05-20'", "released LIKE '2024-%'", "released IS NULL"])
def test_a_day_is_compared_by_its_text(text: str) -> None:
    assert ProductFilter.parse(text, [RELEASED]).sql


def test_a_misspelled_column_is_told_its_neighbors() -> None:
    with pytest.raises(WarehouseError, match=r"did you mean title_price"):
        ProductFilter.parse("title_prices < 5")


def test_a_deep_filter_is_refused() -> None:
    with pytest.raises(WarehouseError):
        ProductFilter.parse("(" * 4_000 + "true" + ")" * 4_000)


def test_the_columns_are_those_of_staging_and_features() -> None:
    columns = filter_columns()
    assert columns["title"] == ("staging.products", "text")
    assert columns["title_price"] == ("features.products", "a number")
    assert columns["title_words"] == ("features.products", "a number")
    assert columns["has_brand_in_title"] == ("features.products", "true or false")
    assert not {"body_words", "amounts", "input_hash"} & columns.keys()
