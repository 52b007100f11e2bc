import sys
import unicodedata
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from warehouse.transform import text_cleaning
from warehouse.transform.text_cleaning import (
    SETTLED,
    clean_line,
    clean_lines,
    clean_products,
    clean_queries,
    clean_text,
    fold,
)


def cleaned(text: str | None, clean: Callable[[str], pl.Expr]) -> str | None:
    answer: str | None = pl.DataFrame({"text": [text]}, schema={"text": pl.String}).select(clean("text")).item()
    return answer


def line(text: str | None) -> str | None:
    return cleaned(text, clean_line)


def lines(text: str | None) -> str | None:
    return cleaned(text, clean_lines)


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("Plain Mug", "Plain Mug"),
        ('<p class="a">Red<br/>Mug</p><BR>', "Red Mug"),
        ("<!-- draft --><!DOCTYPE html>Mug", "Mug"),
        ("&lt;b&gt;Mug&lt;/b&gt;", "Mug"),
        ("salt &amp; pepper", "salt & pepper"),
        ("salt &amp;amp;amp; pepper", "salt & pepper"),
        ("caf&#233; &#xE9;t&eacute;", "café été"),
        ("5 < 6 & 7 > 3", "5 < 6 & 7 > 3"),
        ("size &lt; 5 &gt; 3", "size < 5 > 3"),
        ("AT&T <Acme> cable", "AT&T <Acme> cable"),
        ("＜BOSCH＞ drill", "<BOSCH> drill"),
        ("a\u00a0b&nbsp;c\u3000d\t\r\n e", "a b c d e"),
        ("ze\u200bro\ufeff wid\u00adth\u200e \u202aleft\u202c", "zero width left"),
        ("nul\x00 and bell\x07", "nul and bell"),
        ("ＡＢＣ１２３ ｶﾀｶﾅ ㌔", "ABC123 カタカナ キロ"),
        ("e\u0301t\u0065\u0301", "été"),
        ("<script>var a = '<b>';</script>Mug<style>p {}</style>", "Mug"),
        ("<SCRIPT src='x'>\n1\n</script >Mug", "Mug"),
        ("I <3 mugs", "I <3 mugs"),
    ],
)
def test_cleans_a_line(raw: str, cleaned: str) -> None:
    assert line(raw) == cleaned


@pytest.mark.parametrize(
    "blank", [None, "", "  \t\n", "\u00a0\u3000", "\u200b", "<b></b>", "&nbsp;", "&lt;br&gt;", "<script>x</script>"]
)
def test_what_says_nothing_is_null(blank: str | None) -> None:
    assert line(blank) is None
    assert lines(blank) is None


def test_keeps_line_breaks_where_lines_mean_something() -> None:
    assert lines(" Mesh &amp; foam \r\n\n <b>Light</b>\u3000sole ") == "Mesh & foam\nLight sole"


# fmt: off
PIECES = [
    "&", "amp;", "lt;", "gt", ";", "#60;", "#x26;", "<", ">", "/", "b", "script", "<b>", "</b>", "&lt;", "＜", "＆", "；",
    "<!--", "-->", "<![CDATA[", "e", "½", "ﾞ", "カ", "nbsp;", "shy;", "¨", " ", "\n", "\u200b", "\u00ad", "\u0301", "\x00",
]
# fmt: on
MARKUP = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(MARKUP | st.text(max_size=30))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    cached = line(text)
    assert line(cached) == cached
    several = lines(text)
    assert lines(several) == several


@given(MARKUP | st.text(max_size=30))
def test_a_cleaned_line_has_no_outer_double_or_odd_white_space(text: str) -> None:
    words = line(text) or ""
    assert words == " ".join(word for word in words.split(" ") if word) == words.strip()
    assert not set(words) & set("\u00a0\u3000\u200b\t\n\r")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Nike", "nike"),
        ("H&M", "hm"),
        ("L'Oréal-Paris 3", "loréalparis3"),
        ("ナイキ", "ナイキ"),
        ("—", None),
        (None, None),
    ],
)
def test_folds_text_to_compare(text: str | None, folded: str | None) -> None:
    assert pl.select(fold(pl.lit(text, dtype=pl.String))).item() == folded


def test_cleans_products_row_by_row() -> None:
    raw = pl.LazyFrame(
        {
            "key": ["us:P1", "jp:P2", "jp:P3", "us:P4"],
            "product_id": ["P1", "P2", "P3", "P4"],
            "product_locale": ["us", "jp", "jp", "us"],
            "product_title": ["Nike <b>Shoes</b>", "靴", "靴", "Mug"],
            "product_description": ["<p>Light &amp; fast</p>", None, " ", None],
            "product_bullet_point": ["Mesh\nFoam", None, None, None],
            "product_brand": ["  NIKE ", "NIKE(ナイキ)", "NIKE（ナイキ）", "(Acme)"],
            "product_color": ["Navy-Blue", None, "<br>", None],
            "input_hash": ["1", "2", "3", "4"],
        }
    )
    expected = pl.DataFrame(
        {
            "key": ["us:P1", "jp:P2", "jp:P3", "us:P4"],
            "product_id": ["P1", "P2", "P3", "P4"],
            "locale": ["us", "jp", "jp", "us"],
            "title": ["Nike Shoes", "靴", "靴", "Mug"],
            "description": ["Light & fast", None, None, None],
            "bullet_points": ["Mesh\nFoam", None, None, None],
            "brand": ["NIKE", "NIKE(ナイキ)", "NIKE(ナイキ)", "(Acme)"],
            "color": ["Navy-Blue", None, None, None],
            "brand_key": ["nike", "nike", "nike", "acme"],
            "color_key": ["navyblue", None, None, None],
            "title_words": ["nike shoe nike navi blue", "靴 nike ナイ イキ", "靴 nike ナイ イキ", "mug acm"],
            "body_words": ["mesh foam light fast", "", "", ""],
            "amounts": ["", "", "", ""],
        }
    )
    assert_frame_equal(clean_products(raw).collect(), expected)


def test_cleans_queries_and_passes_the_rest_through() -> None:
    raw = pl.LazyFrame(
        {
            "key": ["us:1", "us:2"],
            "locale": ["us", "us"],
            "query": [" red&nbsp;&amp; blue mugs 12&nbsp;oz", "\u200b"],
            "split": ["train", "test"],
        }
    )
    expected = pl.DataFrame(
        {
            "key": ["us:1", "us:2"],
            "locale": ["us", "us"],
            "query": ["red & blue mugs 12 oz", None],
            "split": ["train", "test"],
            "words": ["red blue mug 12 oz", ""],
            "amounts": ["weight_g=340.19", ""],
        }
    )
    assert_frame_equal(clean_queries(raw).collect(), expected)


@given(st.text(st.sampled_from([*"<b>&amp; \t\n\u3000\u200bＡéa;/"]) | st.characters(codec="utf-8"), max_size=12))
def test_one_text_is_cleaned_as_a_column_is_and_what_is_passed_over_no_rule_would_change(text: str) -> None:
    by_every_rule = text_cleaning._fold_white_space(text_cleaning._strip_markup(pl.Series([text])))[0]
    assert clean_text(text) == line(text) == (by_every_rule or None)


def test_rows_do_not_depend_on_their_neighbors() -> None:
    texts = ["&amp;amp;lt;", None, "<b>x</b>", "plain", "", "&lt;i&gt;y"]
    together = pl.DataFrame({"text": texts}).select(clean_line("text")).to_series().to_list()
    assert together == [line(text) for text in texts] == ["<", None, "x", "plain", None, "y"]


def test_text_that_is_passed_over_as_settled_is_in_nfkc_whatever_stands_beside_it() -> None:
    every = pl.Series([chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF])
    settled = every.filter(every.str.contains(f"[{SETTLED}]")).to_list()
    assert {*"aZ~é’日ア한", " ", "\n"} <= set(settled)
    assert [one for one in settled if unicodedata.normalize("NFKC", one) != one or unicodedata.combining(one)] == []
    assert unicodedata.is_normalized("NFKC", "".join(settled))
    assert unicodedata.is_normalized("NFKC", "".join(reversed(settled)))


@given(st.text(max_size=40))
def test_a_cleaned_line_is_in_nfkc(text: str) -> None:
    assert unicodedata.is_normalized("NFKC", line(text) or "")
