"""A feature view in the home's settings becomes assets, described columns and tower inputs without a change of code."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from assets.services.model_training import feature_spec
from orchestration.config.settings import load_settings
from orchestration.defs.build_definitions import assemble
from warehouse.errors import WarehouseError

DECLARED = """
[[feature_view]]
name = "prices"
file = "prices.parquet"
entity = "product"
key = ["product_locale", "product_id"]
ttl_days = 30

[[feature_view.columns]]
name = "price"
tower = "numeric"
meaning = "price in USD"

[[feature_view.columns]]
name = "seller"
tower = "categorical"
meaning = "who sells it"

[[feature_view.columns]]
name = "note"
type = "text"
meaning = "for people only"

[[feature_view]]
name = "groups"
file = "groups.parquet"
entity = "context"
ttl_days = 365.5
columns = [{ name = "age", tower = "numeric", meaning = "mean age, in years" }]
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "stockroom.toml").write_text(DECLARED, encoding="utf-8")
    return tmp_path


def test_a_declaration_becomes_an_asset_with_columns_meanings_and_a_check(home: Path) -> None:
    graph = assemble(load_settings(home).feature_view).resolve_asset_graph()
    node = graph.get(dg.AssetKey(["timeseries", "prices"]))
    columns = {column.name: column for column in node.metadata["dagster/column_schema"].columns}
    assert list(columns) == ["key", "entity_key", "event_time", "price", "seller", "note"]
    assert (columns["price"].description, columns["price"].type) == ("price in USD", "DOUBLE")
    assert (columns["seller"].type, columns["event_time"].type) == ("VARCHAR", "TIMESTAMP WITH TIME ZONE")
    assert {key.name for key in graph.get_check_keys_for_assets({node.key})} == {"contract"}
    assert node.key in graph.get(dg.AssetKey(["registry", "feature_views"])).parent_keys


def test_a_declaration_becomes_tower_inputs(home: Path) -> None:
    feature_views = load_settings(home).feature_view
    product, query = feature_spec("features.products", feature_views), feature_spec("features.queries", feature_views)
    plain = feature_spec("features.products")
    assert product.numeric == (*plain.numeric, "prices.price")
    assert product.categorical == (*plain.categorical, "prices.seller")
    assert query.numeric == (*feature_spec("features.queries").numeric, "groups.age")


@pytest.mark.parametrize(
    ("line", "wrong", "message"),
    [
        ('tower = "numeric"', 'tower = "numerical"', "feature_view.0.columns.0.tower"),
        ('name = "price"', 'name = "event_time"', "the table has a column event_time of its own"),
        ('name = "price"', 'name = "seller"', "a column is declared twice"),
        ('name = "price"', 'name = "price; DROP TABLE x"', "feature_view.0.columns.0.name"),
        ('name = "groups"', 'name = "prices"', "two feature views have the same name"),
        ('entity = "context"', 'entity = "basket"', "feature_view.1.entity"),
        ("ttl_days = 30", "ttl_days = 0", "feature_view.0.ttl_days"),
        ('meaning = "price in USD"', 'meaning = ""', "feature_view.0.columns.0.meaning"),
        ('type = "text"', 'type = "text"\ntower = "numeric"', "a text column cannot be numeric for the towers"),
        ("ttl_days = 30", "ttl = 30", "feature_view.0.ttl"),
    ],
)
def test_a_wrong_declaration_is_refused(home: Path, line: str, wrong: str, message: str) -> None:
    (home / "stockroom.toml").write_text(DECLARED.replace(line, wrong, 1), encoding="utf-8")
    with pytest.raises(WarehouseError, match=message):
        load_settings(home)


@pytest.mark.parametrize("declares", [True, False])
def test_dagster_loads_what_the_home_of_the_environment_declares(home: Path, tmp_path: Path, declares: bool) -> None:
    code = (
        "import json; from orchestration.definitions import defs; "
        "print(json.dumps([key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()]))"
    )
    where = home if declares else tmp_path / "nothing" / "here"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"STOCKROOM_HOME": str(where), "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("timeseries/prices" in json.loads(done.stdout)) == declares
    assert "registry/feature_views" in json.loads(done.stdout)
