"""Locales of declared sources."""

from warehouse.contracts.locales import normalized_locale_sql

DEFAULT_LOCALE = "us"
"""The locale of a source that declares none."""


def locale_sql(column: str) -> str:
    """Return the SQL of a locale in its normal form; a blank one is the default."""
    return f"coalesce({declared_locale_sql(column)}, '{DEFAULT_LOCALE}')"


def declared_locale_sql(column: str) -> str:
    """Return the SQL of a locale in its normal form; null for a blank one, which a product may not have."""
    given = f"nullif(trim({column}), '')"
    return str(normalized_locale_sql(given))
