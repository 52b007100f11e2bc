"""Asset keys: an asset has the name of its table."""

import dagster as dg


def asset_key(table: str) -> dg.AssetKey:
    """Return the asset key of a table: `features.products` is `features/products`."""
    return dg.AssetKey(table.split("."))
