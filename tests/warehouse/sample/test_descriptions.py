import numpy as np
import pytest

from warehouse.sample.descriptions import lengthen
from warehouse.sample.listings import Row

COUNT = 3_000
# Characters of published ESCI rows at the quartiles, by locale.
QUARTILES = {
    ("product_description", "us"): (362, 751, 1_303),
    ("product_description", "es"): (517, 1_013, 1_482),
    ("product_description", "jp"): (98, 202, 445),
    ("product_bullet_point", "us"): (332, 644, 1_046),
    ("product_bullet_point", "es"): (251, 590, 1_078),
    ("product_bullet_point", "jp"): (82, 189, 450),
}


def rows(locale: str, text: str | None = "It begins.") -> list[Row]:
    row = {"product_locale": locale, "product_description": text, "product_bullet_point": text, "product_title": "Mug"}
    return [dict(row) for _ in range(COUNT)]


@pytest.fixture(scope="module")
def lengthened() -> dict[str, list[Row]]:
    made = {locale: rows(locale) for locale in ("us", "es", "jp")}
    for each in made.values():
        lengthen(each, np.random.default_rng(7))
    return made


@pytest.mark.parametrize(("column", "locale"), QUARTILES)
def test_texts_are_as_long_as_in_life(lengthened: dict[str, list[Row]], column: str, locale: str) -> None:
    quartiles = np.quantile([len(row[column] or "") for row in lengthened[locale]], (0.25, 0.5, 0.75))
    assert quartiles == pytest.approx(QUARTILES[column, locale], rel=0.45)


def test_a_text_is_extended_and_differs_from_its_neighbors(lengthened: dict[str, list[Row]]) -> None:
    for each in lengthened.values():
        texts = [row["product_description"] or "" for row in each]
        assert all(text.startswith("It begins.") and text[-1] in ".。" for text in texts)
        assert len(set(texts)) > 0.99 * COUNT


def test_descriptions_are_often_html_and_bullet_points_have_lines(lengthened: dict[str, list[Row]]) -> None:
    descriptions = [row["product_description"] or "" for row in lengthened["us"]]
    assert 0.3 < np.mean(["<" in text for text in descriptions]) < 0.7
    assert np.mean(["\n" in (row["product_bullet_point"] or "") for row in lengthened["us"]]) > 0.7


def test_what_has_no_text_gets_none_and_titles_stay() -> None:
    made = rows("us", None)
    lengthen(made, np.random.default_rng(7))
    assert made == rows("us", None)
