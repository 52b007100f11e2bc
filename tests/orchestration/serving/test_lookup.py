"""A lookup returns the features of the live release, also if the lake has changed since."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.lookup import Lookup
from warehouse.errors import WarehouseError
from warehouse.home import Home


@pytest.fixture(scope="module")
def home(built):
    return open_home(load_settings(built.home))


def some(home, table, count=3):
    with home.lake.reading() as connection:
        return [key for (key,) in connection.execute(f"SELECT key FROM {table} ORDER BY key LIMIT {count}").fetchall()]


def test_products_and_queries_have_the_features_of_the_lake(home):
    lookup = Lookup(home)
    with home.lake.reading(lookup.release.snapshot) as connection:
        products = connection.sql(
            "SELECT key, title_words, completeness FROM features.products ORDER BY key"
        ).fetchall()
        queries = connection.sql("SELECT key, query_words, has_brand FROM features.queries ORDER BY key").fetchall()
    rows = lookup.products([key for key, *_ in products])
    assert [(row["key"], row["title_words"], row["completeness"]) for row in rows] == products
    rows = lookup.queries([key for key, *_ in queries])
    assert [(row["key"], row["query_words"], row["has_brand"]) for row in rows] == queries


def test_the_locale_of_a_key_may_be_written_in_any_way(home):
    (key,) = some(home, "features.products", 1)
    locale, _, identifier = key.partition(":")
    assert Lookup(home).products([f"{locale.upper()}:{identifier}"]) == Lookup(home).products([key])


def test_after_a_rollback_the_features_are_those_of_the_restored_release(copy_home):
    home = open_home(load_settings(copy_home()))
    (key,) = some(home, "features.products", 1)
    lookup = Lookup(home)
    first, (before,) = lookup.release, lookup.products([key])
    with home.lake.writing() as connection:
        connection.execute("UPDATE staging.products SET title = 'another title' WHERE key = ?", [key])
    snapshot = home.lake.snapshot()
    assert home.online.write(home.lake, snapshot) == (1, 0)
    assert lookup.products([key]) == [before]  # nothing is published yet
    names = ("model_id", "encoder_fingerprint", "vector_table", "vector_version", "published_at")
    home.releases.publish(kind="catalog", snapshot=snapshot, **{name: getattr(first, name) for name in names})
    assert lookup.products([key]) == [before]
    assert lookup.refresh().release == 2
    assert lookup.products([key]) == [before | {"title": "another title"}]
    home.releases.roll_back(1, published_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert lookup.refresh().release == 3
    assert lookup.products([key]) == [before]


def test_a_key_that_is_not_there_is_named_with_what_may_have_been_meant(home):
    (key,) = some(home, "features.products", 1)
    identifier = key.split(":")[1]
    with pytest.raises(WarehouseError, match=f"release 1 has no product '{identifier.lower()}'") as raised:
        Lookup(home).products([key, identifier.lower()])
    assert f"did you mean {key}" in raised.value.hint
    with pytest.raises(WarehouseError, match="no query 'a', 'b', 'c' and 2 more") as raised:
        Lookup(home).queries(["a", "b", "c", "d", "e"])
    assert "SELECT key FROM features.queries" in raised.value.hint


def test_a_time_that_could_change_nothing_is_refused(home):
    with pytest.raises(WarehouseError, match="has no time-series product features, so a time has no effect"):
        Lookup(home).products(some(home, "features.products"), at=datetime(2022, 1, 1, tzinfo=UTC))


def test_an_empty_home_has_no_release(tmp_path):
    with pytest.raises(WarehouseError, match="no release in "):
        Lookup(Home(tmp_path / "home"))
    assert not list(tmp_path.iterdir())


LOOKUP = """
import sys
from orchestration.cli import main
sys.argv = ["stockroom", "lookup", "product", sys.argv[2], "--json", "--home", sys.argv[1]]
try:
    main()
finally:
    heavy = {"torch", "dagster", "sentence_transformers", "transformers", "openvino", "matplotlib"}
    print(sorted(heavy & {name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_a_cold_lookup_loads_neither_torch_nor_dagster(built, home):
    (key,) = some(home, "features.products", 1)
    done = subprocess.run(
        [sys.executable, "-c", LOOKUP, str(built.home), key], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
    assert json.loads(done.stdout) == Lookup(home).products([key])
