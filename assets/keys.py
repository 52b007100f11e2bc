"""Asset keys: an asset is found by its table's name."""

import dagster as dg


def asset_key(table: str) -> dg.AssetKey:
    """Return the asset key of a table: `features.products` is `features/products`."""
    return dg.AssetKey(table.split("."))
