"""Cleaning: pure functions from raw text to text that can be compared, counted and encoded."""

import functools
import html
import sys
from collections.abc import Callable

import polars as pl

from warehouse.code_digest import code_digest, digest
from warehouse.transform import words

_SCRIPT = r"(?is)<(?:script|style)\b.*?</(?:script|style)\s*>"
# Elements by name, since sellers also write <Brand> and ＜Brand＞.
_ELEMENTS = (
    "a|abbr|address|area|article|aside|audio|b|base|bdi|bdo|big|blockquote|body|br|button|canvas|caption|center|cite|code|"
    "col|colgroup|dd|del|details|dfn|dir|div|dl|dt|em|embed|fieldset|figcaption|figure|font|footer|form|frame|frameset|h[1-6]|"
    "head|header|hr|html|i|iframe|img|input|ins|kbd|label|legend|li|link|main|map|mark|menu|meta|nav|noscript|object|ol|"
    "optgroup|option|p|param|picture|pre|q|s|samp|script|section|select|small|source|span|strike|strong|style|sub|summary|sup|"
    "svg|table|tbody|td|template|textarea|tfoot|th|thead|time|title|tr|tt|u|ul|var|video|wbr|o:p"
)
_TAG = rf"(?is)</?(?:{_ELEMENTS})(?:\s[^<>]*)?/?>|<!--.*?-->|<!doctype[^<>]*>|<!\[CDATA\[|\]\]>"
_MARKUP = rf"{_TAG}|&[^\s<&;]"
_INVISIBLE = (
    r"[\u{AD}\u{200B}-\u{200F}\u{202A}-\u{202E}\u{2060}-\u{2064}\u{2066}-\u{2069}\u{FEFF}\u{FFFD}]|[\p{Cc}&&\S]"
)
# Visible ASCII, white space, and letters, kana, Han, Hangul syllables and signs that Unicode's NFKC never changes, whatever
# precedes them. Text of these alone, which most is, needs neither NFKC nor a search for invisible characters.
SETTLED = (
    r"\t-\r -~¡-§©«¬®°±¶·»¿-\u{131}\u{134}-\u{13E}\u{141}-\u{148}\u{14A}-\u{17E}\u{2010}\u{2012}-\u{2016}\u{2018}-\u{2023}"
    r"\u{20AC}\u{2190}-\u{21FF}\u{2500}-\u{27BF}\u{3001}-\u{3029}\u{3041}-\u{3096}\u{309D}\u{309E}\u{30A0}-\u{30FE}\u{4E00}-\u{9FFF}"
    r"\u{AC00}-\u{D7A3}"
)
# A text without a match is a clean line already.
_UNCLEAN = rf"[^{SETTLED}]|[<&]|\s\s|[^\S ]|^\s|\s$"
_PARENTHESIZED_END = r"\s*\([^()]*\)\s*$"


PRODUCT_SOURCES = {
    "key": ("key",),
    "product_id": ("product_id",),
    "locale": ("product_locale",),
    "title": ("product_title",),
    "description": ("product_description",),
    "bullet_points": ("product_bullet_point",),
    "brand": ("product_brand",),
    "brand_key": ("product_brand",),
    "color": ("product_color",),
    "color_key": ("product_color",),
    "title_words": ("product_title", "product_brand", "product_color", "product_locale"),
    "body_words": ("product_bullet_point", "product_description", "product_locale"),
    "amounts": ("product_title",),
}
"""For each column that `clean_products` returns, its source columns in raw.products."""

QUERY_SOURCES = {"words": ("query", "locale"), "amounts": ("query",)}


def clean_products(raw: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows of staging.products, computed row by row from raw.products."""
    return raw.select(
        "key",
        "product_id",
        locale="product_locale",
        title=clean_line("product_title"),
        description=clean_line("product_description"),
        bullet_points=clean_lines("product_bullet_point"),
        brand=clean_line("product_brand"),
        color=clean_line("product_color"),
    ).with_columns(
        brand_key=fold(pl.col("brand").str.replace(_PARENTHESIZED_END, "")).fill_null(fold(pl.col("brand"))),
        color_key=fold(pl.col("color")),
        title_words=words_of("title", "brand", "color"),
        body_words=words_of("bullet_points", "description"),
        amounts=amounts_of("title"),
    )


def clean_queries(raw: pl.LazyFrame) -> pl.LazyFrame:
    """Return queries with cleaned text; the other columns pass through."""
    return raw.with_columns(query=clean_line("query")).with_columns(
        words=words_of("query"), amounts=amounts_of("query")
    )


def words_of(*columns: str) -> pl.Expr:
    """Return the words of some columns in the language of the column `locale`, joined by blanks."""
    text = pl.concat_str(columns, separator=" ", ignore_nulls=True)
    return pl.map_batches([text, pl.col("locale")], lambda each: words.words(*each), return_dtype=pl.String)


def amounts_of(column: str) -> pl.Expr:
    """Return the amounts in a column, joined by blanks."""
    return pl.col(column).map_batches(words.amounts, return_dtype=pl.String)


def clean_line(column: str) -> pl.Expr:
    """Return the column's text as one line of plain text.

    No HTML, entities or invisible characters; Unicode NFKC; white space folded; blank is null. Cleaning twice changes nothing.
    """
    return _null_if_blank(_changed(pl.col(column), _as_line))


def is_blank_when_cleaned(column: str) -> pl.Expr:
    """Return whether the column's text is blank after cleaning; null if there is no text."""

    def find(text: pl.Series) -> pl.Series:
        is_blank = text.is_null() & text.is_not_null()  # false, as any text with a letter and no markup is
        rows = _rows_with(text, r"[<&]|^[^\p{L}\p{N}]*$")
        return is_blank.scatter(rows, _as_line(text.gather(rows)).str.len_bytes() == 0) if rows.len() else is_blank

    return pl.when(pl.col(column).is_not_null()).then(
        pl.col(column).map_batches(find, return_dtype=pl.Boolean, is_elementwise=True)
    )


def clean_text(text: str) -> str | None:
    """Return one text cleaned as by `clean_line`, without the cost of a query plan."""
    return str(_as_line(pl.Series([text], dtype=pl.String))[0]) or None


def clean_lines(column: str) -> pl.Expr:
    """Return the column's text cleaned as by `clean_line`, but with its line breaks kept."""
    return _null_if_blank(_changed(pl.col(column), lambda text: _fold_lines(_strip_markup(text))))


def fold(text: pl.Expr) -> pl.Expr:
    """Return text for comparison: lower case, letters and digits only; empty is null."""
    return _null_if_blank(text.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", ""))


@functools.cache
def version() -> str:
    """Return a digest of these rules and of Polars: when either changes, every row is cleaned again."""
    return digest(code_digest(sys.modules[__name__]), words.version(), pl.__version__)[:8]


def _changed(text: pl.Expr, change: Callable[[pl.Series], pl.Series]) -> pl.Expr:
    return text.map_batches(change, return_dtype=pl.String, is_elementwise=True)


def _as_line(text: pl.Series) -> pl.Series:
    return _where(_UNCLEAN, text, lambda some: _fold_white_space(_strip_markup(some)))


def _strip_markup(text: pl.Series) -> pl.Series:
    """Remove tags and decode entities until none is left: sellers write entities of entities, and tags as entities."""
    text = _normalize(text)
    rows = _rows_with(text, "[<&]")  # a search for two characters is many times faster than one for markup
    if rows.len():
        rows = rows.filter(text.gather(rows).str.contains(_MARKUP))
    while rows.len():
        before = text.gather(rows)
        after = _normalize(_unescape(_replaced(_replaced(before, _SCRIPT, " "), _TAG, " ")))
        text = text.clone().scatter(rows, after)
        rows = rows.filter((after != before) & after.str.contains(_MARKUP))
    return text


def _unescape(text: pl.Series) -> pl.Series:
    return _where("&", text, lambda some: pl.Series([html.unescape(value) for value in some], dtype=pl.String))


def _normalize(text: pl.Series) -> pl.Series:
    """Remove invisible characters and normalize the rest to Unicode's NFKC."""
    return _where(f"[^{SETTLED}]", text, lambda some: some.str.replace_all(_INVISIBLE, "").str.normalize("NFKC"))


def _fold_white_space(text: pl.Series) -> pl.Series:
    return _replaced(text, r"\s\s+|[^\S ]", " ").str.strip_chars()


def _fold_lines(text: pl.Series) -> pl.Series:
    def fold_some(some: pl.Series) -> pl.Series:
        return some.str.replace_all(r"\s+\n\s*|\n\s+", "\n").str.replace_all(r"[^\S\n][^\S\n]+|[^\S \n]", " ")

    return _where(r"\s\s|[^\S \n]", text, fold_some).str.strip_chars()


def _replaced(text: pl.Series, pattern: str, value: str) -> pl.Series:
    return _where(pattern, text, lambda some: some.str.replace_all(pattern, value))


def _where(pattern: str, text: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Change only the texts that match a pattern, since searching is cheap and rewriting is not."""
    rows = _rows_with(text, pattern)
    return text.clone().scatter(rows, change(text.gather(rows))) if rows.len() else text  # scatter changes in place


def _rows_with(text: pl.Series, pattern: str) -> pl.Series:
    return text.str.contains(pattern).arg_true()  # a null is not true


def _null_if_blank(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.len_bytes() > 0).then(text)
