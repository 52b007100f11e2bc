"""Locales of declared sources."""

from warehouse.contracts.locales import normalized_locale_sql

DEFAULT_LOCALE = "us"
"""The locale of a source that declares none."""


def locale_sql(column: str) -> str:
    """Return the SQL of a locale in its normal form; a blank one is the default."""
    given = f"nullif(trim({column}), '')"
    return f"coalesce({normalized_locale_sql(given)}, '{DEFAULT_LOCALE}')"
