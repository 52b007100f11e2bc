"""Words and amounts of texts: what the text index holds, and what the ranker compares.

A word is in lower case, without accents and stemmed by the language of its locale. A run of kana, kanji, hangul or Thai, which
are written without spaces, becomes its overlapping character pairs. An amount is a number with a unit,
in the measure's base unit.
"""

import functools
import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from typing import cast

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import Stemmer

from warehouse.code_digest import code_digest, digest
from warehouse.contracts import locales

# Scripts written without spaces: kanji with its iteration marks, kana with the long-vowel mark, hangul, and those of Thai, Lao,
# Burmese and Khmer.
_UNSPACED = "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
_UNSPACED += "\uf900-\ufaff\U00020000-\U0002fa1f\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3"
_UNSPACED += "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1050-\u109f\u1780-\u17d3"
_RUNS = rf"[{_UNSPACED}]+|[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]+"
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_ACCENTS = range(0x300, 0x370)  # of Latin, Greek and Cyrillic letters; other scripts need their combining marks
_SHORT_I = unicodedata.normalize("NFD", "й")  # a letter, not an accent: Russian endings have it
_STEMMED_AS = dict.fromkeys(("ja", "zh", "ko", "th", "lo", "my", "km"), "en") | {"nb": "no", "nn": "no"}
"""Languages with the stemmer of another: words with spaces in texts without them are mostly English."""
_DOTLESS = frozenset({"tr", "az"})
"""Languages in which the small letter of I is ı, and that of İ is i."""

# Only unambiguous units: without "in" ("2 in 1") and "m" ("9 M US").
_UNITS: dict[str, dict[float, str]] = {
    "volume_ml": {
        1: "ml",
        10: "cl",
        29.5735: "floz",
        1000: "l liter liters litre litres litro litros リットル",
        3785.41: "gallon gallons",
    },
    "weight_g": {
        1: "g gr gram grams gramos グラム",
        28.3495: "oz ounce ounces",
        453.592: "lb lbs pound pounds",
        1000: "kg キロ",
    },
    "length_cm": {
        0.1: "mm",
        1: "cm センチ",
        2.54: '" inch inches pulgadas インチ',
        30.48: "ft foot feet",
        100: "meter meters metro metros メートル",
    },
    "pack_count": {
        1: "pack packs pk count ct pcs pc piece pieces pieza piezas unidades uds 個 枚 本 袋 箱 組 缶",
    },
}
_MEASURE_OF = {
    unit: (measure, factor)
    for measure, units in _UNITS.items()
    for factor, names in units.items()
    for unit in names.split()
}
_REWRITES = (
    (r"″|”|''", '"'),
    (r"(\d),(\d\d\d)\b", "$1$2"),  # 1,500 is 1500
    (r"(\d),(\d)", "$1.$2"),  # and 1,5 is 1.5
    (r"\b\d+w ?x? ?\d+l\b|\b(?:2\.4|[345]) ?g\b", ""),  # trousers of 36W x 29L, radio of 2.4G or 5G
    (r"\bfl(?:uid)?\.? ?(?:oz|ounces?)\b", "floz"),
    (r"\b(?:pack|set|box|paquete|juego|lote) (?:of|de) (\d+)\b", "$1 pack"),
)
_NUMBER_AND_UNIT = re.compile(r"(\d[\d.]*)[ -]?(\D+)$")
_AMOUNTS = r'(?:^|[^\d./])(\d{1,6}(?:\.\d+)?[ -]?(?:"|[a-z]+|[ァ-ヺー]+|[個枚本袋箱組缶]))'


def words(text: pl.Series, locale: pl.Series) -> pl.Series:
    """Return the words of each text, joined by blanks, by the language of its locale in the normal form; null means none."""
    texts, locale = text.fill_null(""), locale.cast(pl.String).fill_null("")
    languages = {each: locales.language_of(each) for each in locale.unique()}
    language = locale.replace_strict(languages, return_dtype=pl.String)
    result = pl.Series([""], dtype=pl.String).new_from_index(0, len(text))
    for each in dict.fromkeys(languages.values()):
        rows = (language == each).arg_true()
        runs = _lower(texts.gather(rows), each).str.extract_all(_RUNS)
        result = result.scatter(rows, _mapped(runs, functools.partial(_words_of, language=each)))
    return result


def query_words(query: str, locale: str | None) -> list[str]:
    """Return the words of one query."""
    (own,) = query_words_by_locale(query, [locale])
    return own


def query_words_by_locale(query: str, by: Sequence[str | None]) -> list[list[str]]:
    """Return the words of one query in the language of each locale."""
    joined = words(pl.Series([query]).new_from_index(0, len(by)), pl.Series(by, dtype=pl.String))
    return [each.split() for each in joined]


def query_amounts(query: str) -> str:
    """Return the amounts of one query, joined by blanks."""
    return str(amounts(pl.Series([query]))[0]) if any(sign.isdigit() for sign in query) else ""


def amounts(text: pl.Series) -> pl.Series:
    """Return the amounts of each text, such as `length_cm=33.02 pack_count=6`, sorted and each once."""
    rows = text.str.contains(r"\d").fill_null(False).arg_true()
    result = text.is_null().replace_strict({True: "", False: ""}, return_dtype=pl.String)
    if not rows.len():
        return result
    lower = text.gather(rows).str.to_lowercase()
    for pattern, replacement in _REWRITES:
        lower = lower.str.replace_all(pattern, replacement)
    joined = _mapped(lower.str.extract_all(_AMOUNTS), _amount_of)
    distinct = joined.str.extract_all(r"\S+").list.unique().list.sort().list.join(" ")
    return result.scatter(rows, distinct)


@functools.cache
def version() -> str:
    """Return a digest of these rules and of the stemmer: when either changes, every row is cleaned again."""
    return digest(code_digest(sys.modules[__name__]), code_digest(locales), Stemmer.version())[:8]


def _mapped(runs: pl.Series, of: Callable[[str], str]) -> pl.Series:
    """Replace each run of each row by a function of it, called once for each distinct run; join them by blanks."""
    lists = runs.to_arrow().cast(pa.list_(pa.string()))
    encoded = lists.values.dictionary_encode()
    values = pa.array([of(run) for run in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)
    return pl.Series(pc.binary_join(pa.ListArray.from_arrays(lists.offsets, values), " "), dtype=pl.String)


def _lower(text: pl.Series, language: str) -> pl.Series:
    if language in _DOTLESS:
        text = text.str.replace_all("I", "ı", literal=True).str.replace_all("İ", "i", literal=True)
    return text.str.to_lowercase()


def _words_of(run: str, language: str) -> str:
    if _IS_UNSPACED.match(run):
        return run if len(run) == 1 else " ".join(run[at : at + 2] for at in range(len(run) - 1))
    if not run.isascii():
        decomposed = unicodedata.normalize("NFD", run).replace(_SHORT_I, "й")
        run = unicodedata.normalize("NFC", "".join(each for each in decomposed if ord(each) not in _ACCENTS))
    stemmer = _stemmer(language)
    word = str(stemmer.stemWord(run)) if stemmer is not None else run
    return word.replace("ı", "i") if language in _DOTLESS else word  # as shoppers without such a keyboard write it


@functools.cache
def _stemmer(language: str) -> Stemmer.Stemmer | None:
    """Return the stemmer of a language, None if there is none."""
    try:
        return Stemmer.Stemmer(_STEMMED_AS.get(language, language))
    except KeyError:
        return None


def _amount_of(text: str) -> str:
    number, unit = cast(re.Match[str], _NUMBER_AND_UNIT.search(text)).groups()
    if unit not in _MEASURE_OF:
        return ""
    measure, factor = _MEASURE_OF[unit]
    return f"{measure}={round(float(number) * factor, 2):.12g}"
