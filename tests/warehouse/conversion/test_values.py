"""Attribute values: what people write becomes typed values, and what cannot be read is told from what is not there."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.conversion.number_text import decimal_sign
from warehouse.conversion.values import RULES, SQL_TYPES, is_refused_sql, number_text_sql, value_sql
from warehouse.declaration.source import Attribute

DAY = datetime(2024, 1, 31, tzinfo=UTC)
MOMENT = datetime(2024, 1, 31, 9, 30, tzinfo=UTC)
BLANK = " \t\r\n\u00a0\u3000"
TEXT = st.characters(exclude_categories=["Cs", "Cc"])
few = settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def read(connection, kind, text, decimal=".", **declared):
    """Return the value of a text and whether it is refused."""
    attribute = Attribute(name="a", type=kind, **declared)
    return connection.execute(
        f"SELECT {value_sql(attribute, 'given', decimal)}, {is_refused_sql(attribute, 'given', decimal)} "
        "FROM (SELECT $1::VARCHAR AS given)",
        [text],
    ).fetchone()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("money", "$1,299.00", 1299.0),
        ("money", "1.299,00 €", 1299.0),
        ("money", "12,99", 12.99),
        ("money", "EUR 5", 5.0),
        ("money", "1 299,00", 1299.0),
        ("money", "1\u202f299,00\u00a0€", 1299.0),
        ("money", "CHF 1’299.-", 1299.0),
        ("money", "₹1,29,900.00", 129900.0),
        ("money", "-$5", -5.0),
        ("money", "5 kr.", 5.0),
        ("money", "10 - 20", 10.0),
        ("money", "$20.00 to $10.50", 10.5),
        ("money", "12.50 USD", 12.5),
        ("money", "1e-05", 1e-05),
        ("number", "1 000 000", 1e6),
        ("number", "−1.5e3", -1500.0),
        ("number", "00123", 123.0),
        ("boolean", " Ja ", True),
        ("boolean", "FALSE", False),
        ("boolean", "sí", True),
        ("date", "2024-01-31", DAY),
        ("date", "2024/01/31", DAY),
        ("date", "20240131", DAY),
        ("date", "31.01.2024", DAY),
        ("date", "31/1/2024", DAY),
        ("date", "1/31/2024", DAY),
        ("date", "Jan 31, 2024", DAY),
        ("date", "1706659200", DAY),
        ("date", "2024-01-31T09:30", MOMENT),
        ("date", "2024-01-31 15:00:00+05:30", MOMENT),
        ("date", "2024-01-31T09:30:00.000Z", MOMENT),
        ("url", "//shop.example/a.jpg", "//shop.example/a.jpg"),
        ("category", " Mugs ", "Mugs"),
        ("category_path", "Home&gt;Kitchen &amp; Bath >  > Pans", "Home > Kitchen & Bath > Pans"),
        ("category_path", "Food/Drinks > Tea", "Food/Drinks > Tea"),
        ("category_path", "Food / Drinks", "Food > Drinks"),
        ("category_path", '["Home", "Pans"]', "Home > Pans"),
        ("category_path", '[["Home", "Pans"], ["Sale"]]', "Home > Pans"),
        ("list", '["red", "a, b", 1, null]', ["red", "a, b", "1"]),
        ("list", r'["a\nb", "c\td", "e\\f", "\u00e9"]', ["a\nb", "c\td", "e\\f", "é"]),
        ("list", "['red', 'blue']", ["red", "blue"]),
        ("list", "red|blue, dark|red", ["red", "blue, dark"]),
        ("list", "red, blue", ["red", "blue"]),
    ],
)
def test_what_people_write_is_read(database, kind: str, text: str, value: object) -> None:
    assert read(database, kind, text) == (value, False)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("money", "free"),
        ("money", "12 PCS"),
        ("money", "2024-01"),
        ("money", "from 12 €"),
        ("money", "1.2.3"),
        ("money", "12,34,5"),
        ("number", "12 kg"),
        ("number", "12 3456"),
        ("number", "inf"),
        ("boolean", "perhaps"),
        ("date", "2024-02-30"),
        ("date", "01/02/2024"),
        ("date", "12.99"),
        ("url", "not a link"),
    ],
)
def test_what_cannot_be_read_is_refused(database, kind: str, text: str) -> None:
    assert read(database, kind, text) == (None, True)
    assert kind in RULES


@pytest.mark.parametrize("kind", ["number", "money", "boolean", "date"])
@pytest.mark.parametrize("text", [None, "", " \u00a0", "N/A", "null", "-", "–", "NaN", "k.A.", "k. A.", "Keine Angabe"])
def test_a_text_that_stands_for_nothing_is_null_and_not_refused(database, kind: str, text: str | None) -> None:
    assert read(database, kind, text) == (None, False)


def test_a_declared_decimal_sign_holds_for_every_value(database) -> None:
    assert read(database, "money", "12,345", decimal=",") == (12.345, False)
    attribute = Attribute(name="a", type="money", decimal=".")
    query = f"SELECT {value_sql(attribute, 'given', ',')}, {is_refused_sql(attribute, 'given', ',')} FROM (SELECT $1 AS given)"
    assert database.execute(query, ["12,345"]).fetchone() == (12345.0, False)
    assert database.execute(query, ["12,99"]).fetchone() == (None, True)


def test_a_declared_separator_alone_separates(database) -> None:
    assert read(database, "list", "a, b/c|d", separator="/") == (["a, b", "c|d"], False)
    assert read(database, "category_path", "TV/Video", separator=" > ") == ("TV/Video", False)


@pytest.mark.parametrize(
    ("values", "locale", "sign"),
    [
        (["12.345", "1.299,00", "7.000"], None, ","),
        (["12.345", "$7.5"], "de", "."),
        (["12.345"], None, "."),
        (["12.345"], "de", ","),
        (["12.345"], "es-MX", "."),
        (["1,5", "1.5"], "fr-FR", ","),
        (["text", None], None, "."),
        ([], "pl", ","),
    ],
)
def test_the_decimal_sign_is_that_of_the_unambiguous_values(database, values, locale, sign) -> None:
    frame = "(SELECT unnest($values::VARCHAR[]) AS given)".replace("$values", repr(values).replace("None", "NULL"))
    assert decimal_sign(database, frame, "given", locale) == sign


def read_all(connection, kind, texts, decimal=".", **declared):
    """Return the value of each text, and whether it is refused."""
    attribute = Attribute(name="a", type=kind, **declared)
    return connection.execute(
        f"SELECT {value_sql(attribute, 'given', decimal)}, {is_refused_sql(attribute, 'given', decimal)} "
        "FROM (SELECT unnest($1::VARCHAR[]) AS given, unnest(range(len($1))) AS place) ORDER BY place",
        [texts],
    ).fetchall()


@few
@given(
    st.lists(st.tuples(st.integers(-(10**12), 10**12), st.integers(0, 99)), min_size=20),
    st.sampled_from(
        [(".", ","), (".", ""), (".", "'"), (".", " "), (",", "."), (",", ""), (",", "\u00a0"), (",", "’")]
    ),
    st.sampled_from(["{}", "${}", "{} €", "EUR {}", "{} USD", "US$ {}", "Rs. {}", "{} zł"]),
)
def test_an_amount_in_any_notation_is_read_exactly(database, amounts, signs, currency) -> None:
    decimal, group = signs
    texts = [currency.format(f"{whole:,}".replace(",", group) + f"{decimal}{cents:02}") for whole, cents in amounts]
    expected = [(float(f"{whole}.{cents:02}"), False) for whole, cents in amounts]
    assert read_all(database, "money", texts, decimal=decimal) == expected


@few
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=20))
def test_a_number_as_programs_write_it_is_read_exactly(database, numbers) -> None:
    assert read_all(database, "number", [repr(each) for each in numbers]) == [(each, False) for each in numbers]


@few
@given(
    st.lists(
        st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
        min_size=20,
    )
)
def test_a_moment_in_iso_is_read_exactly(database, moments) -> None:
    assert read_all(database, "date", [each.isoformat() for each in moments]) == [(each, False) for each in moments]


@few
@given(st.lists(st.lists(st.text(TEXT).filter(lambda text: text.strip())), min_size=20))
def test_a_json_array_becomes_its_elements_each_once(database, arrays) -> None:
    def once(elements):
        return list(dict.fromkeys(each.strip(BLANK) for each in elements if each.strip(BLANK))) or None

    texts = [json.dumps(each, ensure_ascii=False) for each in arrays]
    assert [value for value, _ in read_all(database, "list", texts)] == [once(each) for each in arrays]


@few
@given(st.lists(st.text(TEXT), min_size=20))
def test_a_category_path_is_its_own_canonical_form(database, texts) -> None:
    once = [value for value, _ in read_all(database, "category_path", texts)]
    plain = [each for each in once if each is not None and not each.startswith("[") and "&" not in each]
    assert [value for value, _ in read_all(database, "category_path", plain, separator=" > ")] == plain


@few
@given(st.lists(st.text(TEXT), min_size=20))
def test_every_text_is_a_value_or_refused_or_nothing(database, texts) -> None:
    for kind in SQL_TYPES:
        assert not any(is_refused and value is not None for value, is_refused in read_all(database, kind, texts))


@pytest.mark.parametrize(
    ("unit", "text", "value"),
    [
        ("kg", "1.5 kg", 1.5),
        ("kg", "1,5kg", 1.5),
        ("kg", "2", 2.0),
        ("kg", "500 g", 0.5),
        ("kg", "1 234,5 grams", 1.2345),
        ("kg", "2 LB.", 0.90718474),
        ("kg", "3 cm", None),
        ("in", '15.6"', 15.6),
        ("in", "5 cm", 1.968503937),
        ("ml", "0.75 l", 750.0),
        ("%", "20 %", 20.0),
        ("pcs", "12 PCS", 12.0),
        ("pcs", "12 kg", None),
        ("kg", "1e-3", 0.001),
    ],
)
def test_a_number_with_a_unit_is_converted_to_the_declared_one(database, unit, text, value) -> None:
    assert read(database, "number", text, unit=unit) == (value, value is None)


def test_the_decimal_sign_of_a_column_with_units_is_found_without_them(database) -> None:
    weight = Attribute(name="a", type="number", unit="kg")
    given = "(SELECT unnest(['1,5 kg', '1.500 kg']) AS given)"
    sign = decimal_sign(database, given, number_text_sql(weight, "given"))
    assert sign == ","
    assert read(database, "number", "1.500 kg", sign, unit="kg") == (1500.0, False)


def test_only_a_number_has_a_unit() -> None:
    with pytest.raises(ValueError, match="an attribute of type money has no unit"):
        Attribute(name="a", type="money", unit="kg")


@pytest.mark.parametrize(
    ("order", "text", "value"),
    [
        ("mdy", "1/31/2024", DAY),
        ("mdy", "01/31/24", DAY),
        ("mdy", "1/31/24, 9:30 AM", MOMENT),
        ("dmy", "31/1/24 09:30", MOMENT),
        ("dmy", "31.01.24", DAY),
        ("mdy", "2/1/2024", datetime(2024, 2, 1, tzinfo=UTC)),
        ("dmy", "2/1/2024", datetime(2024, 1, 2, tzinfo=UTC)),
        ("dmy", "1/31/2024", None),
        ("dmy", "2024-01-31", DAY),
        ("dmy", "31 Jan 2024", DAY),
    ],
)
def test_a_date_is_read_in_its_declared_order(database, order, text, value) -> None:
    assert read(database, "date", text, date_order=order) == (value, value is None)


@pytest.mark.parametrize(
    ("text", "value"), [('["12.50","9.00"]', 9.0), ("[12.5]", 12.5), ('["call"]', None), ("[]", None)]
)
def test_of_a_list_of_amounts_the_lowest_counts(database, text, value) -> None:
    assert read(database, "money", text) == (value, value is None)
