"""Locales: one written form for each, and the language whose rules its texts follow.

A locale is a language tag of BCP 47, such as en-US or zh-Hant-TW, or a marketplace, such as us. Its normal form is in lower
case, with hyphens. A bare two-letter code is the marketplace of `MARKETPLACES`, else a language.
"""

import re

LOCALE = r"^[a-z]{2,3}(?:-[a-z0-9]{1,8})*$"
"""The normal form of a locale."""
MAX_LOCALE_LENGTH = 35
"""The longest locale, in characters: what BCP 47 asks programs to have room for."""
WHOLE = "all"
"""What tables of figures call all locales together; so it is no locale."""

_WRITTEN = "[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*"
_BLANKS = " \t\r\n"

_LANGUAGES = {
    "en": "us gb uk ie ca au nz za sg in ph",
    "es": "mx cl co pe ec uy py ve cr gt do pr",
    "pt": "br",
    "de": "at ch li",
    "fr": "be",
    "sv": "se",
    "da": "dk",
    "cs": "cz",
    "el": "gr cy",
    "et": "ee",
    "sl": "si",
    "sr": "rs",
    "uk": "ua",
    "he": "il",
    "ar": "sa ae eg kw qa",
    "fa": "ir",
    "ur": "pk",
    "ja": "jp",
    "zh": "cn tw hk",
    "ko": "kr",
    "vi": "vn",
    "ms": "my",
}
MARKETPLACES = {country: language for language, countries in _LANGUAGES.items() for country in countries.split()}
"""The main language of each marketplace whose code is not the code of that language, as es, de, fr, it and nl are.

Some codes are also those of a language. The countries with a large marketplace stand here: ca is Canada, not Catalan; br Brazil,
not Breton; be Belgium, not Belarusian; uk the United Kingdom, not Ukrainian; my Malaysia, not Burmese; sa Saudi Arabia, not
Sanskrit. Not here, and so languages, are ar (Arabic, not Argentina), sv (Swedish, not El Salvador) and eu (Basque).
"""


def normalized_locale(text: str) -> str | None:
    """Return the normal form of a locale, such as en-us for en_US; None for a text that is no locale."""
    plain = text.strip(_BLANKS)
    if len(plain) > MAX_LOCALE_LENGTH or not re.fullmatch(_WRITTEN, plain):
        return None
    normal = plain.lower().replace("_", "-")
    return None if normal == WHOLE else normal


def normalized_key(key: str) -> str:
    """Return a key with its locale, which stands before the first colon, in the normal form; another text as it is."""
    locale, colon, rest = key.partition(":")
    return f"{(colon and normalized_locale(locale)) or locale}{colon}{rest}"


def normalized_locale_sql(text: str) -> str:
    """Return the SQL of the normal form of an SQL text; of a text that is no locale, the text as it is."""
    plain = f"trim({text}, ' ' || chr(9) || chr(13) || chr(10))"
    normal = f"lower(replace({plain}, '_', '-'))"
    is_locale = (
        f"regexp_full_match({plain}, '{_WRITTEN}') AND length({plain}) <= {MAX_LOCALE_LENGTH} AND {normal} <> '{WHOLE}'"
    )
    # Most locales are two small letters already, which is found out in a fifth of the time.
    return (
        f"CASE WHEN regexp_full_match({text}, '[a-z]{{2}}') THEN {text} WHEN {is_locale} THEN {normal} ELSE {text} END"
    )


def normalized_key_sql(text: str) -> str:
    """Return the SQL of `normalized_key` for an SQL text."""
    locale, rest = f"split_part({text}, ':', 1)", f"substr({text}, strpos({text}, ':'))"
    return f"CASE WHEN contains({text}, ':') THEN concat({normalized_locale_sql(locale)}, {rest}) ELSE {text} END"


def language_of(locale: str) -> str:
    """Return the language of a locale in the normal form, as a code of ISO 639: that of a tag, or of a marketplace."""
    language, hyphen, _ = locale.partition("-")
    return language if hyphen else MARKETPLACES.get(locale, locale)
