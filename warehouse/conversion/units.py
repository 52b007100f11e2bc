"""Units: numbers with a unit, such as 1.5 kg, converted to the declared unit of their attribute."""

from collections.abc import Mapping

from warehouse.conversion.number_text import DecimalSign, let, number_sql
from warehouse.lake.lake import quote

_MASS = {"mg": 1e-6, "g": 1e-3, "kg": 1.0, "t": 1e3, "oz": 0.028349523125, "lb": 0.45359237}
_LENGTH = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3, "in": 0.0254, "ft": 0.3048}
_VOLUME = {"ml": 1e-3, "cl": 1e-2, "l": 1.0, "fl oz": 0.0295735295625, "gal": 3.785411784}
_DIMENSIONS = (_MASS, _LENGTH, _VOLUME, {"mb": 1e-3, "gb": 1.0, "tb": 1e3}, {"w": 1.0, "kw": 1e3}, {"%": 1.0})
"""The units of each dimension, with their size in one of them."""
_SPELLINGS = {
    "g": ("gr", "gram", "grams"),
    "kg": ("kgs", "kilo", "kilos", "kilogram", "kilograms"),
    "oz": ("ounce", "ounces"),
    "lb": ("lbs", "pound", "pounds"),
    "m": ("meter", "meters", "metre", "metres"),
    "in": ("inch", "inches", '"', "″"),
    "ft": ("foot", "feet"),
    "l": ("liter", "liters", "litre", "litres"),
    "fl oz": ("fl. oz", "fluid ounce", "fluid ounces"),
    "gal": ("gallon", "gallons"),
    "w": ("watt", "watts"),
}
_UNITS = {spelling: unit for unit, others in _SPELLINGS.items() for spelling in others}
UNITS = frozenset(unit for dimension in _DIMENSIONS for unit in dimension)
"""The units that are known."""

_AMOUNT = r"^([-+−–]?[.,]?[0-9](?:[\s\x{a0}\x{202f}]*[0-9.,'’])*(?:[eE][-+]?[0-9]+)?)"
_UNIT = rf"{_AMOUNT}[\s\x{{a0}}\x{{202f}}]*(.*)$"


def known_unit(text: str) -> str | None:
    """Return the unit that a text spells, such as lb for Pounds; None for another text."""
    plain = text.strip().rstrip(".").lower()
    unit = _UNITS.get(plain, plain)
    return unit if unit in UNITS else None


def amount_sql(text: str) -> str:
    """Return the SQL of the text of a number without the unit behind it."""
    return f"regexp_extract(trim({text}), {quote(_UNIT)}, 1)"


def unit_sql(text: str) -> str:
    """Return the SQL of the unit behind a number: lower case, without a period; empty if there is none."""
    return f"lower(rtrim(trim(regexp_extract(trim({text}), {quote(_UNIT)}, 2)), '.'))"


def measure_sql(text: str, unit: str, decimal: DecimalSign, *, is_declared: bool = False) -> str:
    """Return the SQL of a number with a unit in the declared `unit`, a DOUBLE; null where it has no such unit.

    A number without a unit has the declared one. Another unit of the same dimension is converted.

    Args:
        text: SQL of the text.
        unit: The declared unit: a known one, or the text that stands behind each number.
        decimal: The decimal sign of the column.
        is_declared: Whether every value must have this sign, because a person said so.
    """
    sizes = "".join(f" WHEN {quote(spelling)} THEN {size!r}" for spelling, size in _factors(unit).items())
    factor = f"CASE {unit_sql(text)} WHEN '' THEN 1{sizes} END"
    number = number_sql(amount_sql(text), decimal, is_declared=is_declared)
    return let(
        "number", number, let("factor", factor, "CASE WHEN factor = 1 THEN number ELSE round(number * factor, 9) END")
    )


def _factors(unit: str) -> Mapping[str, float]:
    """Return what one of each spelled unit is in the declared unit."""
    own = known_unit(unit)
    if own is None:
        return {unit.strip().rstrip(".").lower(): 1.0}
    sizes = next(dimension for dimension in _DIMENSIONS if own in dimension)
    return {
        spelling: size / sizes[own] for name, size in sizes.items() for spelling in (name, *_SPELLINGS.get(name, ()))
    }
