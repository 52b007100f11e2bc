"""The behavior that all table assets share."""

import dagster as dg

from assets.core.table_asset import table_asset
from assets.keys import asset_key
from warehouse.code_digest import digest


def test_a_table_and_its_asset_have_one_name():
    assert asset_key("features.products") == dg.AssetKey(["features", "products"])
    arguments = table_asset("features.products", deps=("staging.products",))
    assert arguments["key"] == asset_key("features.products")
    assert arguments["deps"] == [asset_key("staging.products")]
    assert arguments["group_name"] == "features"
    assert arguments["description"].startswith("One row per product and locale")


def test_digests_depend_on_the_borders_of_parts():
    assert digest("a", "bc") != digest("ab", "c")
    assert len(digest()) == 16
