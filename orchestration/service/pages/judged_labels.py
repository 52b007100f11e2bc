"""The judgements of a query or a product, as of a release."""

from typing import NamedTuple

from warehouse.home import Home
from warehouse.lake import tables
from warehouse.serving.release_log import Release

LABEL_NAMES = {"E": "Exact", "S": "Substitute", "C": "Complement", "I": "Irrelevant"}
_OF_QUERY = """
    SELECT judgements.product_key, judgements.label
    FROM staging.judgements AS judgements
    JOIN staging.queries AS queries ON queries.key = judgements.query_key
    WHERE lower(queries.query) = lower($query) AND ($locale IS NULL OR queries.locale = $locale)
    ORDER BY judgements.key
"""
_OF_PRODUCT = """
    SELECT queries.query, judgements.locale, judgements.label
    FROM staging.judgements AS judgements
    JOIN staging.queries AS queries ON queries.key = judgements.query_key
    WHERE judgements.product_key = ?
    ORDER BY array_position(['E', 'S', 'C', 'I'], judgements.label), queries.query, judgements.key
    LIMIT ?
"""


class JudgedQuery(NamedTuple):
    """Hold a query for which a product is judged."""

    query: str
    locale: str
    label: str


def labels_of_query(home: Home, release: Release, query: str, locale: str | None) -> dict[str, str]:
    """Return the label of each product that is judged for a query, by key; the query compares without regard to case."""
    with home.lake.reading(release.snapshot) as connection:
        if not tables.exists(connection, "staging.judgements"):
            return {}
        return dict(connection.execute(_OF_QUERY, {"query": query, "locale": locale}).fetchall())


def queries_of_product(home: Home, release: Release, key: str, most: int) -> list[JudgedQuery]:
    """Return the first queries for which a product is judged, the most relevant first."""
    with home.lake.reading(release.snapshot) as connection:
        if not tables.exists(connection, "staging.judgements"):
            return []
        return [JudgedQuery(*row) for row in connection.execute(_OF_PRODUCT, [key, most]).fetchall()]
