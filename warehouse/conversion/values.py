"""Values: the typed value of an attribute from its text in a file, as SQL expressions over a column of text."""

from collections.abc import Callable

from warehouse.conversion.number_text import DecimalSign, let, money_sql, number_sql
from warehouse.conversion.units import amount_sql, measure_sql
from warehouse.declaration.source import Attribute, AttributeType
from warehouse.lake.lake import quote

SQL_TYPES: dict[AttributeType, str] = {
    "text": "VARCHAR",
    "category": "VARCHAR",
    "category_path": "VARCHAR",
    "url": "VARCHAR",
    "number": "DOUBLE",
    "money": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "TIMESTAMP WITH TIME ZONE",
    "list": "VARCHAR[]",
}
"""The type of the values of each type of attribute."""

RULES: dict[AttributeType, str] = {
    "number": "not_a_number",
    "money": "not_money",
    "boolean": "not_a_boolean",
    "date": "not_a_date",
    "url": "not_a_url",
}
"""The rule that an unreadable value breaks, by type of attribute; every text is a value of the other types."""

NOTHING = (
    *("", "-", "--", "–", "—", "n/a", "n.a.", "n. a.", "na", "nan", "none", "null", "nil", "#n/a", "unknown", "?"),
    *(
        "k.a.",
        "k. a.",
        "k.a",
        "keine angabe",
        "ohne angabe",
        "unbekannt",
        "nicht verfügbar",
        "entfällt",
        "n.v.",
        "n. v.",
    ),
    *("nd", "n.d.", "n/d", "n.c.", "s/d", "non disponible", "no disponible", "non disponibile"),
)
"""Texts, in lower case, that stand for no value of a number, an amount, a boolean or a date."""
_TRUE = "true t yes y 1 1.0 on ja j oui si sí sim vrai wahr verdadero verdadeiro vero tak да はい 是"
_FALSE = "false f no n 0 0.0 off nein non não nao faux falsch falso nie нет いいえ 否 nee nej"

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
_ZONE = "(?:Z|UTC|[-+][0-9]{2}(?::?[0-9]{2})?)"
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_NAMED_MONTHS = ("%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y")


def value_sql(attribute: Attribute, column: str, decimal: DecimalSign = ".") -> str:
    """Return the SQL of an attribute's typed value; null where the text is blank, stands for no value or cannot be read.

    - number: with a declared unit, converted to it.
    - money: without its currency; of a range such as `10 - 20`, or of a JSON array, the lowest amount.
    - boolean: yes and no, true and false, 1 and 0, in several languages.
    - date: year first, with or without a time; also 31.12.2024, 31 Dec 2024, a date with slashes whose day is above 12, with
      `date_order` any such as 3/14/24, 7:16 AM, and seconds or milliseconds since 1970. A time without a zone is UTC.
    - category_path: its parts, joined by ` > `. A path is separated by `>`, `»`, `›`, else `|`, else `/`.
    - list: a JSON array, or a text separated by `|`, else `;`, else `,`. Each element occurs once.

    Args:
        attribute: The declaration. Its own decimal sign and separator count before those that are found.
        column: SQL of the text, as written. Nested values are JSON.
        decimal: The decimal sign of the column, as `decimal_sign` finds it.
    """
    text = f"nullif(trim({column}, {quote(_BLANK)}), '')"
    return _READERS[attribute.type](text, attribute, decimal)


def is_refused_sql(attribute: Attribute, column: str, decimal: DecimalSign = ".") -> str:
    """Return the SQL that tells whether a text has content that cannot be read as the attribute's type.

    The rule that such a text breaks is `RULES[attribute.type]`.

    Args: as `value_sql`.
    """
    if attribute.type not in RULES:
        return "false"
    text = f"trim({column}, {quote(_BLANK)})"
    nothing = ", ".join(map(quote, NOTHING if attribute.type != "url" else ("",)))
    value = value_sql(attribute, column, decimal)
    return f"({column} IS NOT NULL AND lower({text}) NOT IN ({nothing}) AND {value} IS NULL)"


def number_text_sql(attribute: Attribute, column: str) -> str:
    """Return the SQL of the text that holds a number, from which the decimal sign of its column is found."""
    return amount_sql(column) if attribute.unit is not None else column


_BLANK = " \t\r\n\u00a0\u3000"


def _text(text: str, attribute: Attribute, decimal: DecimalSign) -> str:
    return text


def _number(text: str, attribute: Attribute, decimal: DecimalSign) -> str:
    sign, is_declared = attribute.decimal or decimal, attribute.decimal is not None
    if attribute.unit is not None:
        return measure_sql(text, attribute.unit, sign, is_declared=is_declared)
    return number_sql(text, sign, is_declared=is_declared)


def _money(text: str, attribute: Attribute, decimal: DecimalSign) -> str:
    def money(value: str) -> str:
        return money_sql(value, attribute.decimal or decimal, is_declared=attribute.decimal is not None)

    listed = f"list_min(list_transform(TRY_CAST({text} AS VARCHAR[]), lambda price: {money('price')}))"
    return f"CASE WHEN {text} LIKE '[%]' THEN {listed} ELSE {money(text)} END"


def _boolean(text: str, attribute: Attribute, decimal: DecimalSign) -> str:
    true, false = (f"list_contains(string_split({quote(words)}, ' '), lower({text}))" for words in (_TRUE, _FALSE))
    return f"CASE WHEN {true} THEN true WHEN {false} THEN false END"


def _date(text: str, attribute: Attribute, decimal: DecimalSign) -> str:
    day = rf"regexp_replace({text}, '^([0-9]{{4}})[/.]([0-9]{{2}})[/.]([0-9]{{2}})', '\1-\2-\3')"
    day = rf"regexp_replace({day}, '([T ][0-9]{{2}}:[0-9]{{2}})( ?Z| ?UTC|[-+].*|)$', '\1:00\2')"
    day = rf"regexp_replace({day}, '(:[0-9.]+ ?[-+][0-9]{{2}})([0-9]{{2}})$', '\1:\2')"
    named = rf"regexp_replace(replace(replace({text}, ',', ''), '.', ''), '\s+', ' ', 'g')"
    parts = [
        f"regexp_extract({text}, '^([0-9]{{1,2}})[./]([0-9]{{1,2}})[./]([0-9]{{4}})$', {part})" for part in (1, 2, 3)
    ]
    first, second = (f"TRY_CAST({part} AS INTEGER)" for part in parts[:2])
    reads = {
        f"regexp_full_match({day}, '{_DAY}')": f"concat({day}, ' 00:00:00Z')",
        f"regexp_full_match({day}, '{_DAY}{_CLOCK}')": f"concat({day}, 'Z')",
        f"regexp_full_match({day}, '{_DAY}{_CLOCK} ?{_ZONE}')": f"replace({day}, ' UTC', 'Z')",
        f"regexp_full_match({text}, '(19|20)[0-9]{{6}}')": rf"regexp_replace({text}, '(....)(..)(..)', '\1-\2-\3 00:00:00Z')",
        f"{first} > 12 OR contains({text}, '.')": _ymd(parts[2], parts[1], parts[0]),
        f"{second} > 12": _ymd(parts[2], parts[0], parts[1]),
        f"regexp_full_match({text}, '[0-9]{{10}}')": f"make_timestamptz(TRY_CAST({text} AS BIGINT) * 1000000)",
        f"regexp_full_match({text}, '[0-9]{{13}}')": f"make_timestamptz(TRY_CAST({text} AS BIGINT) * 1000)",
    }
    if attribute.date_order is not None:
        reads = _ordered(text, attribute.date_order) | reads
    cases = " ".join(f"WHEN {condition} THEN TRY_CAST({value} AS TIMESTAMPTZ)" for condition, value in reads.items())
    months = ", ".join(map(quote, _NAMED_MONTHS))
    return f"CASE {cases} ELSE TRY_CAST(concat(try_strptime({named}, [{months}])::VARCHAR, 'Z') AS TIMESTAMPTZ) END"


def _ordered(text: str, order: str) -> dict[str, str]:
    """Return the SQL of dates such as 3/14/24, 7:16 AM, whose order is declared, by the condition of each form."""
    slashed = rf"regexp_replace(replace({text}, ',', ''), '^([0-9]{{1,2}})[./-]([0-9]{{1,2}})[./-]', '\1/\2/')"
    day = "%d/%m/" if order == "dmy" else "%m/%d/"
    reads = {}
    for year, digits in (("%Y", 4), ("%y", 2)):
        formats = ", ".join(quote(f"{day}{year}{clock}") for clock in _CLOCKS)
        condition = f"regexp_matches({slashed}, '^[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{{digits}}}( |$)')"
        reads[condition] = f"concat(try_strptime({slashed}, [{formats}])::VARCHAR, 'Z')"
    return reads


def _ymd(year: str, month: str, day: str) -> str:
    return f"concat({year}, '-', lpad({month}, 2, '0'), '-', lpad({day}, 2, '0'), ' 00:00:00Z')"


def _url(text: str, attribute: Attribute, decimal: DecimalSign) -> str:
    return rf"CASE WHEN regexp_full_match({text}, '[^\s]*[./][^\s]*') THEN {text} END"


def _category_path(text: str, attribute: Attribute, decimal: DecimalSign) -> str:
    plain = f"replace(replace(replace({text}, '&gt;', '>'), '&raquo;', '»'), '&amp;', '&')"
    path = rf"coalesce(nullif(regexp_extract({plain}, '^\[\s*(\[[^\]]*\])', 1), ''), {plain})"  # the first of several
    parts = _elements("path", _separated("path", attribute, ("[>»›→]", "[|]", "/")))
    return let("path", path, f"nullif(array_to_string({parts}, ' > '), '')")


def _list(text: str, attribute: Attribute, decimal: DecimalSign) -> str:
    every = _elements(text, _separated(text, attribute, ("[|]", ";", ",")))
    once = "list_filter(elements, lambda element, place: list_position(elements, element) = place)"
    return let("elements", every, f"CASE WHEN len(elements) > 0 THEN {once} END")


def _separated(text: str, attribute: Attribute, patterns: tuple[str, ...]) -> str:
    """Return the SQL of the parts of a text: by the declared separator, else by the first pattern that occurs in it."""
    if attribute.separator is not None:
        return f"string_split({text}, {quote(attribute.separator)})"
    cases = " ".join(
        f"WHEN regexp_matches({text}, {quote(each)}) THEN string_split_regex({text}, {quote(each)})"
        for each in patterns
    )
    return f"CASE {cases} ELSE [{text}] END"


def _elements(text: str, separated: str) -> str:
    """Return the SQL of the trimmed elements of a text that is a JSON array, or of its separated parts; blank ones go."""
    # DuckDB's cast of text to a list reads the arrays that other programs print, and drops the escapes of JSON.
    listed = (
        f"CASE WHEN {text} LIKE '[%]' AND json_valid({text}) THEN json_extract_string({text}, '$[*]') "
        f"WHEN {text} LIKE '[%]' THEN coalesce(TRY_CAST({text} AS VARCHAR[]), [{text}]) ELSE {separated} END"
    )
    trimmed = f"list_transform({listed}, lambda element: trim(element, {quote(_BLANK)}))"
    return f"list_filter({trimmed}, lambda element: element <> '')"


_READERS: dict[AttributeType, Callable[[str, Attribute, DecimalSign], str]] = {
    "text": _text,
    "category": _text,
    "url": _url,
    "number": _number,
    "money": _money,
    "boolean": _boolean,
    "date": _date,
    "category_path": _category_path,
    "list": _list,
}
