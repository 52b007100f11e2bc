"""Words and amounts of texts."""

import polars as pl
import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from warehouse.transform import words as words_module
from warehouse.transform.text_cleaning import clean_text
from warehouse.transform.words import amounts, query_amounts, query_words, words


def words_of(texts: list[str | None], locales: list[str | None]) -> list[str]:
    return words(pl.Series(texts, dtype=pl.String), pl.Series(locales, dtype=pl.String)).to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Red-Shoe, 42.5 cm!", ["red", "shoe", "42", "5", "cm"]),
        ("ÁRBOL de Straße", ["arbol", "de", "straße"]),
        ("ｎｉｋｅ ①", ["nike", "1"]),
        ("e\u0301te\u0301", ["ete"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("赤 い", ["赤", "い"]),
        ("usb充電器3m", ["usb", "充電", "電器", "3m"]),
        ("ﾜｲﾝ・ｸﾞﾗｽ", ["ワイ", "イン", "グラ", "ラス"]),
        ("한국어", ["한국", "국어"]),
        ("हिन्दी किताबें", ["हिन्दी", "किताबें"]),
        ("ΟΔΌΣ Ёлка", ["οδος", "елка"]),
        ("🙂 ... ", []),
        ("", []),
    ],
)
def test_cleaned_texts_become_words_and_cjk_becomes_pairs(text: str, expected: list[str]) -> None:
    assert query_words(clean_text(text) or "", None) == expected


@pytest.mark.parametrize(
    ("text", "locale", "expected"),
    [
        ("Running shoes, batteries", "us", ["run", "shoe", "batteri"]),
        ("Cafés", "us", ["cafe"]),
        ("Zapatillas niños niño", "es", ["zapatill", "nin", "nin"]),
        ("camión camiones", "es", ["camion", "camion"]),
        ("Laufschuhe Größen", "de", ["laufschuh", "gross"]),
        ("Running シューズ", "jp", ["run", "シュ", "ュー", "ーズ"]),
        ("किताबें books", "in", ["किताबें", "book"]),
        ("Running shoes", "en-us", ["run", "shoe"]),
        ("Running shoes", "zh-hant-tw", ["run", "shoe"]),
        ("Sykkelhjelmene", "nb-no", ["sykkelhjelm"]),
        ("красный красные", "ru", ["красн", "красн"]),
        ("IŞIKLI IPHONE İğne", "tr", ["isikli", "iphone", "igne"]),
        ("IŞIKLI IPHONE İğne", "us", ["isik", "iphon", "ign"]),
        ("กางเกง ยีนส์ jeans", "th", ["กา", "าง", "งเ", "เก", "กง", "ยี", "ีน", "นส", "ส์", "jean"]),
        ("Running shoes", "xx", ["running", "shoes"]),
        ("Running shoes", None, ["running", "shoes"]),
    ],
)
def test_words_are_stemmed_by_the_language_of_their_locale(text: str, locale: str | None, expected: list[str]) -> None:
    assert query_words(text, locale) == expected


# fmt: off
STEMMERS = [
    "ar", "ca", "cs", "da", "de", "el", "en", "eo", "es", "et", "eu", "fa", "fi", "fr", "ga", "hi", "hu", "hy", "id", "it", "lt",
    "ne", "nl", "no", "pl", "pt", "ro", "ru", "sr", "st", "sv", "ta", "tr", "yi",
]
# fmt: on


def test_every_stemmer_is_reached_by_a_language_tag() -> None:
    words_by_stemmer = {"dutch_porter", "porter"}  # second stemmers of a language
    for language in STEMMERS:
        assert query_words("abc", f"{language}-zz") == Stemmer.Stemmer(language).stemWords(["abc"])
    assert len(STEMMERS) == len(set(Stemmer.algorithms()) - words_by_stemmer)


def test_each_row_of_a_column_has_its_own_language() -> None:
    texts, locales = ["Running mugs", "Tazas", None, "Running mugs", "", "Tazas"], ["us", "es", "us", None, "es", "us"]
    assert words_of(texts, locales) == ["run mug", "taz", "", "running mugs", "", "taza"]
    assert words_of([], []) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Case 13"', "length_cm=33.02"),
        ("Case 13-inch", "length_cm=33.02"),
        ("13 pulgadas", "length_cm=33.02"),
        ("Aceite 1,5 l", "volume_ml=1500"),
        ("Hay 1,500 g", "weight_g=1500"),
        ("12 fl oz", "volume_ml=354.88"),
        ("12 Fluid Ounces", "volume_ml=354.88"),
        ("7 oz", "weight_g=198.45"),
        ("pack of 6", "pack_count=6"),
        ("lote de 3", "pack_count=3"),
        ("ミルク 500ml×24本", "pack_count=24 volume_ml=500"),
        ("10cm or 10 cm or 100mm", "length_cm=10"),
        ("Sign 18'' x 24″", "length_cm=45.72 length_cm=60.96"),
        ("Phone 5G, 2.4G", ""),
        ("Jeans 36W x 29L", ""),
        ("Hub 2 in 1, size 9 M US", ""),
        ("Screw 1/2 inch", ""),
        ("Mug", ""),
        ("", ""),
    ],
)
def test_amounts_are_in_the_base_unit_of_their_measure(text: str, expected: str) -> None:
    assert query_amounts(text) == expected


def test_texts_without_an_amount_have_none() -> None:
    assert amounts(pl.Series(["6 pack", None, "mug", "12"])).to_list() == ["pack_count=6", "", "", ""]
    assert amounts(pl.Series(["mug", None])).to_list() == ["", ""]
    assert amounts(pl.Series([], dtype=pl.String)).to_list() == []


# fmt: off
PIECES = [
    "Running", "shoes", "zapatillas", "東", "京タワー", "हिन्दी", "e\u0301", "ñ", "İ", "ß", " ", "-", ",", ".", "/", "\"", "''",
    "1", "5", "13", "1,500", " inch", "oz", " fl. oz", "g", "pack of ", "36W x 29L", "本", "🙂",
]
# fmt: on
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=15)
LOCALES = st.sampled_from(["us", "es", "jp", "xx", None])


@given(st.lists(st.tuples(TEXTS, LOCALES), max_size=6))
def test_one_text_has_the_words_and_amounts_that_it_has_in_a_column(rows: list[tuple[str, str | None]]) -> None:
    texts, locales = [text for text, _ in rows], [locale for _, locale in rows]
    alone = [query_words(text, locale) for text, locale in rows]
    assert [each.split() for each in words_of(texts, locales)] == alone
    assert [" ".join(each) for each in alone] == words_of(texts, locales)  # single blanks, none outside
    assert amounts(pl.Series(texts, dtype=pl.String)).to_list() == [query_amounts(text) for text in texts]


def test_the_version_follows_the_stemmer(monkeypatch: pytest.MonkeyPatch) -> None:
    before = words_module.version()
    words_module.version.cache_clear()
    assert words_module.version() == before
    monkeypatch.setattr(words_module.Stemmer, "version", lambda: "other")
    words_module.version.cache_clear()
    assert words_module.version() != before
    words_module.version.cache_clear()
