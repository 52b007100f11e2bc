"""Number text: numbers and money as people write them, read by SQL expressions.

The decimal sign of a column is declared, or found from the values that only one sign explains. With a found sign, a value that
only the other sign explains is still read; a value that both explain, such as `12.345`, is read by the sign of its column. A
number that a program wrote with an exponent, such as `1.5e3`, has a decimal point whatever the sign of its column.
"""

from typing import Literal, NamedTuple

import duckdb

from warehouse.lake.lake import quote

DecimalSign = Literal[".", ","]

DecimalSigns = tuple[tuple[str, DecimalSign], ...]
"""The decimal signs that columns were found to have, each after the name of its column."""

_COMMA_LANGUAGES = (
    " az be bg bs ca cs da de el es et eu fi fr gl hr hu hy id is it ka kk ky lt lv mk nb nl nn no pl pt ro ru sk sl sq sr sv "
    "tr uk uz vi "
)
"""Languages that write a decimal comma, each between spaces."""
_POINT_REGIONS = " ch do gt hn li mx ni pa pe pr sv us "
"""Regions that write a decimal point, whatever their language."""

_OTHER: dict[DecimalSign, DecimalSign] = {".": ",", ",": "."}
_MINUS = "[-−–]"
_SPACE = r"[\s\x{a0}\x{2009}\x{202f}]"
_CODES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNH "
    "CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR "
    "ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP "
    "MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RMB RON RSD RUB RWF SAR SBD SCR "
    "SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST "
    "XAF XCD XOF XPF YER ZAR ZMW"
)
_CURRENCY = (
    rf"(?:{'|'.join(_CODES.split())}"
    r"|[A-Za-z]{0,2}\.?\p{Sc}"
    r"|(?i:kr|zł|kč|ft|lei|fr|rs|руб|р|euros?|dollars?|pounds?)\.?|円|元|원)"
)
_NO_CENTS = "[.,][-–—]{1,2}"  # as in 5,- and 5.--
_BARE_PAIR = "[0-9]+[-–—][0-9]+"
_PROGRAM_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]{1,3}"
_RANGE = r"^(.*?[0-9].*?)\s*(?:[-–—~]|\bto\b|\bbis\b|\bhasta\b)\s*(.*?[0-9].*)$"


def number_sql(text: str, decimal: DecimalSign, *, is_declared: bool = False) -> str:
    """Return the SQL of the number that a text holds, a DOUBLE; null where it holds none.

    Args:
        text: SQL of the text.
        decimal: The decimal sign of the column.
        is_declared: Whether every value must have this sign, because a person said so.
    """
    return let("digits", _digits(text), _number("digits", decimal, is_declared))


def money_sql(text: str, decimal: DecimalSign, *, is_declared: bool = False) -> str:
    """Return the SQL of the amount that a text holds, without its currency; of a range of amounts, the lower.

    Two bare numbers that fall, such as `2024-01`, are no range.

    Args: as `number_sql`.
    """
    low, high = (f"regexp_extract(amount, {quote(_RANGE)}, {part})" for part in (1, 2))
    is_range = f"regexp_full_match(amount, {quote(_RANGE)}) AND NOT regexp_full_match(amount, {quote(_PROGRAM_NUMBER)})"
    amounts = f"CASE WHEN {is_range} THEN [{low}, {high}] ELSE [amount] END"
    numbers = (
        f"list_transform(list_transform({amounts}, lambda each: {_digits(_without_currency('each'))}), "
        f"lambda digits: {_number('digits', decimal, is_declared)})"
    )
    is_amount = f"(numbers[1] <= numbers[-1] OR NOT regexp_full_match(trim(amount), {quote(_BARE_PAIR)}))"
    lowest = f"CASE WHEN list_count(numbers) = len(numbers) AND {is_amount} THEN list_min(numbers) END"
    return let("amount", text, let("numbers", numbers, lowest))


class Readings(NamedTuple):
    """Say what the texts of a column tell about its decimal sign.

    Attributes:
        points: number of texts that are numbers with a decimal point alone.
        commas: number of texts that are numbers with a decimal comma alone.
        ambiguous: the first text that is one number with a point and another with a comma, with both numbers; None without one.
    """

    points: int
    commas: int
    ambiguous: tuple[str, float, float] | None

    def sign(self, locale: str | None = None) -> DecimalSign:
        """Return the sign of most of the texts that only one sign explains; of as many of each, the one that the locale writes.

        Args:
            locale: Locale of the column as a language tag, such as `de` or `es-MX`; None: a point.
        """
        if self.points != self.commas:
            return "." if self.points > self.commas else ","
        language, *subtags = (locale or "").lower().replace("_", "-").split("-")
        writes_comma = f" {language} " in _COMMA_LANGUAGES and not any(f" {tag} " in _POINT_REGIONS for tag in subtags)
        return "," if writes_comma else "."


def decimal_sign(
    connection: duckdb.DuckDBPyConnection, relation: str, text: str, locale: str | None = None
) -> DecimalSign:
    """Return the decimal sign of a column of numbers or money, see `Readings.sign`.

    Args: as `readings`, and the locale of the column.
    """
    return readings(connection, relation, text).sign(locale)


def readings(connection: duckdb.DuckDBPyConnection, relation: str, text: str) -> Readings:
    """Return how the texts of a column of numbers or money may be read.

    Args:
        connection: The database.
        relation: SQL of the relation that has the column.
        text: SQL of the column's text.
    """
    point, comma = (_strict("digits", sign) for sign in _OTHER)
    points, commas, first = connection.execute(
        "SELECT count(*) FILTER (comma IS NULL AND point IS NOT NULL), count(*) FILTER (point IS NULL AND comma IS NOT NULL), "
        f"first([{text}, point::VARCHAR, comma::VARCHAR]) FILTER (point <> comma) "
        f"FROM (SELECT *, {point} AS point, {comma} AS comma FROM "
        f"(SELECT *, {_digits(_without_currency(text))} AS digits FROM {relation}))"
    ).fetchone() or (0, 0, None)
    return Readings(points, commas, (str(first[0]), float(first[1]), float(first[2])) if first else None)


def let(name: str, value: str, body: str) -> str:
    """Return the SQL of `body`, in which `name` stands for `value`: the value is computed once."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"


def _number(digits: str, decimal: DecimalSign, is_declared: bool) -> str:
    own = _strict(digits, decimal)
    return own if is_declared else f"coalesce({own}, {_strict(digits, _OTHER[decimal])})"


def _strict(digits: str, decimal: DecimalSign) -> str:
    """Return the SQL of the number that digits mean under one decimal sign; groups of digits are 1,299 or 1,29,900."""
    group = _OTHER[decimal]
    whole = f"[0-9]+|[1-9][0-9]{{0,2}}(?:[{group}'][0-9]{{2,3}})*[{group}'][0-9]{{3}}"
    pattern = f"[-+]?(?:(?:{whole})(?:[{decimal}][0-9]+)?|[{decimal}][0-9]+)"
    plain = f"translate({digits}, '{decimal}{group}' || chr(39), '.')"
    plain = f"CASE WHEN regexp_full_match({digits}, {quote(pattern)}) THEN {plain}"
    value = f"TRY_CAST({plain} WHEN regexp_full_match({digits}, {quote(_PROGRAM_NUMBER)}) THEN {digits} END AS DOUBLE)"
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def _digits(text: str) -> str:
    """Return the SQL of a text with one kind of minus, and an apostrophe between groups of digits instead of a space."""
    digits = rf"regexp_replace(replace(trim({text}), '’', ''''), '^{_MINUS}\s*', '-')"
    for _ in range(2):  # a single digit between two spaces belongs to two matches
        digits = rf"regexp_replace({digits}, '([0-9]){_SPACE}([0-9])', '\1''\2', 'g')"
    return digits


def _without_currency(text: str) -> str:
    """Return the SQL of a text without a currency before or after its amount."""
    before = rf"regexp_replace(trim({text}), '^({_MINUS}?){_SPACE}*{_CURRENCY}{_SPACE}*', '\1')"
    after = rf"regexp_replace({before}, '{_SPACE}*{_CURRENCY}{_SPACE}*$', '')"
    return rf"regexp_replace({after}, '([0-9]){_NO_CENTS}{_SPACE}*$', '\1')"
