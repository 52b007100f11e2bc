"""Locales of declared sources."""

DEFAULT_LOCALE = "us"
"""The locale of a source that declares none."""


def locale_sql(column: str) -> str:
    """Return the SQL of a locale in its normal form; a blank one is the default."""
    return f"coalesce(nullif(lower(replace(trim({column}), '_', '-')), ''), '{DEFAULT_LOCALE}')"
