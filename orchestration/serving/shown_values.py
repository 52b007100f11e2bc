"""Shown values: the columns of products that a search shows beside its hits, with the values of its release."""

from collections.abc import Sequence
from dataclasses import replace

from orchestration.serving.hits import Hit
from warehouse.home import Home
from warehouse.search.facets import refuse_unknown
from warehouse.serving.release_log import Release


def shown_columns(home: Home, release: Release, names: Sequence[str]) -> dict[str, str]:
    """Return the features that names stand for, by name in lower case: `price` stands for products.price too.

    Raises:
        WarehouseError: Products of the release have no such feature, or its features were deleted.
    """
    if not names:
        return {}
    by_name: dict[str, str] = {}
    for column in home.online.columns("product", release.snapshot):
        by_name.setdefault(column.lower(), column)
        by_name.setdefault(column.lower().rpartition(".")[-1], column)
    refuse_unknown(names, by_name, [each for each in by_name if "." not in each])
    return {name.lower(): by_name[name.lower()] for name in names}


def with_values(home: Home, release: Release, hits: list[Hit], columns: dict[str, str]) -> list[Hit]:
    """Return hits with the values of columns, as `shown_columns` returns them."""
    if not columns:
        return hits
    rows = home.online.rows("product", release.snapshot, [hit.key for hit in hits])
    return [
        replace(hit, values={name: (row or {}).get(column) for name, column in columns.items()})
        for hit, row in zip(hits, rows, strict=True)
    ]
