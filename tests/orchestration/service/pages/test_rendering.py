"""Values as people read them."""

import pytest

from orchestration.service.pages.rendering import cell, number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.123456789, "0.1235"),
        (226.75, "226.8"),
        (9_999.6, "10000"),
        (98_123.0, "98123"),
        (-1_234_567.0, "-1234567"),
        (1e20, "1e+20"),
        (0.00001, "1e-05"),
    ],
)
def test_numbers_have_some_digits_and_no_needless_exponent(value, text):
    assert number(value, 4) == text


def test_a_difference_has_its_sign():
    assert [number(each, 3, sign=True) for each in (0.5, -0.5, 12_345.0)] == ["+0.5", "-0.5", "+12345"]


def test_a_cell_of_any_kind():
    assert [cell(each) for each in (True, 7, ["a", None], "x", 0.5)] == ["yes", "7", "a, –", "x", "0.5"]
