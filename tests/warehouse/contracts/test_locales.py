import re
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse.contracts.locales import (
    LOCALE,
    MARKETPLACES,
    MAX_LOCALE_LENGTH,
    language_of,
    normalized_key,
    normalized_key_sql,
    normalized_locale,
    normalized_locale_sql,
)

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "your-own-catalog.md"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("us", "us"),
        ("jp", "jp"),
        ("US", "us"),
        ("en-US", "en-us"),
        ("en_us", "en-us"),
        (" pt-BR\n", "pt-br"),
        ("zh-Hant-TW", "zh-hant-tw"),
        ("es-419", "es-419"),
        ("yue", "yue"),
        ("de-CH-1901", "de-ch-1901"),
        ("x" * 2 + "-12345678" * 3, "xx-12345678-12345678-12345678"),
        ("x" * 2 + "-12345678" * 4, None),
        ("english", None),
        ("e", None),
        ("", None),
        ("en-", None),
        ("-us", None),
        ("en--us", None),
        ("en us", None),
        ("en:us", None),
        ("en-US.UTF-8", None),
        ("日本", None),
        ("\u212aR", None),  # the sign of kelvin, whose small letter is k
        ("All", None),
    ],
)
def test_a_locale_has_one_normal_form(text: str, normal: str | None) -> None:
    assert normalized_locale(text) == normal
    assert normal is None or (re.fullmatch(LOCALE, normal) and len(normal) <= MAX_LOCALE_LENGTH)


@pytest.mark.parametrize(
    ("key", "normal"),
    [
        ("en_US:B1", "en-us:B1"),
        ("US:Ab:c", "us:Ab:c"),
        ("B1", "B1"),
        ("US", "US"),
        (":B1", ":B1"),
        ("no one:1", "no one:1"),
    ],
)
def test_the_locale_of_a_key_is_brought_into_the_normal_form(key: str, normal: str) -> None:
    assert normalized_key(key) == normal


TEXTS = st.text(max_size=12) | st.text("uUsSeEnN-_ \t:\n1all", max_size=12)


@given(st.lists(TEXTS, max_size=5))
def test_sql_gives_the_forms_of_python(texts: list[str]) -> None:
    texts = [text for text in texts if "\0" not in text]
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT {normalized_locale_sql('text')}, {normalized_key_sql('text')} FROM (SELECT unnest($1::VARCHAR[]) AS text)",
            [texts],
        ).fetchall()
    assert rows == [(normalized_locale(text) or text, normalized_key(text)) for text in texts]


def test_a_missing_locale_stays_missing_in_sql() -> None:
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {normalized_locale_sql('NULL::VARCHAR')}").fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        *(
            ("us", "en"),
            ("gb", "en"),
            ("uk", "en"),
            ("jp", "ja"),
            ("br", "pt"),
            ("mx", "es"),
            ("cn", "zh"),
            ("ca", "en"),
        ),
        *(
            ("es", "es"),
            ("de", "de"),
            ("ar", "ar"),
            ("sv", "sv"),
            ("en", "en"),
            ("ja", "ja"),
            ("xx", "xx"),
            ("yue", "yue"),
        ),
        *(("en-us", "en"), ("ja-jp", "ja"), ("es-mx", "es"), ("ca-es", "ca"), ("uk-ua", "uk"), ("zh-hant-tw", "zh")),
    ],
)
def test_a_tag_names_its_language_and_a_marketplace_has_one(locale: str, language: str) -> None:
    assert language_of(locale) == language


def test_the_guide_lists_every_marketplace() -> None:
    rows = re.findall(r"^\| .* \(`([a-z]{2})`\) \| (.*) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {country: language for language, countries in rows for country in re.findall(r"`([a-z]{2})`", countries)}
    assert listed == MARKETPLACES
