import polars as pl
import pytest

from models.encoder.text_template import product_text, query_text


def texts_of(**columns: list[str | None]) -> list[str]:
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return frame.select(product_text(*columns))["text"].to_list()


def test_product_text_joins_title_brand_and_color_with_one_space():
    assert texts_of(title=["desk lamp"], brand=["Lumo"], color=["red"]) == ["desk lamp Lumo red"]


@pytest.mark.parametrize(
    ("title", "brand", "color", "text"),
    [
        ("lamp", None, "red", "lamp red"),
        ("lamp", "Lumo", None, "lamp Lumo"),
        (None, "Lumo", None, "Lumo"),
        ("lamp", "", "  ", "lamp"),
        (" lamp ", None, None, "lamp"),
        (None, None, None, ""),
    ],
)
def test_product_text_skips_null_and_blank(title, brand, color, text):
    assert texts_of(title=[title], brand=[brand], color=[color]) == [text]


def test_product_text_takes_expressions():
    frame = pl.DataFrame({"t": ["Lamp"], "brand": ["Lumo"], "color": ["red"]})
    assert frame.select(product_text(pl.col("t").str.to_lowercase()))["text"].to_list() == ["lamp Lumo red"]


def test_query_text_has_single_spaces_and_no_edges():
    assert query_text("  red \t desk\n lamp\u3000赤 ") == "red desk lamp 赤"
