"""An attribute that one line declares is in SQL, registry, UI, lookup, filter, facet, drift, and in what the models read."""

from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.ranking.candidate_search import with_query_keys
from assets.ranking.ranked_search import ranked, search_as
from assets.services.model_training import feature_spec
from assets.services.serving_model import ServingModel
from assets.services.vector_refresh import stored_vectors
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import DenseRanker
from models.ranking.ranker_files import StoredRanker, read_ranker
from orchestration.commands.build import BuildReport, build
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.defs.build_definitions import assemble
from orchestration.serving import Lookup, Searcher
from warehouse.features import datasets
from warehouse.home import Home
from warehouse.sample import write_esci

PRODUCTS = "shopping_queries_dataset_products.parquet"

DECLARED = """
[warehouse]
threads = 1
validation_percent = 40

[training]
epochs = 1

[release]
min_queries = 1

[ranking]
method = "learned"

[[feature_view]]
name = "goods"
file = "goods.parquet"
entity = "product"
key = ["locale", "product_id"]

[[feature_view.columns]]
name = "price"
meaning = "price in USD"
tower = "numeric"
rank = true
filter = true

[[feature_view.columns]]
name = "released"
meaning = "first day of sale"
type = "time"
rank = true
filter = true

[[feature_view.columns]]
name = "category"
meaning = "path of the category"
type = "text"
tower = "categorical"
filter = true

[[feature_view.columns]]
name = "tags"
meaning = "words of the shop"
type = "list"
filter = true
"""


@dataclass(frozen=True)
class Shop:
    """A home that was built again with attributes, and the report of that build."""

    home: Home
    goods: pl.DataFrame
    report: BuildReport


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, word_encoder: None) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    root, place = folder / "home", pl.int_range(pl.len())
    root.mkdir()
    (root / "stockroom.toml").write_text(DECLARED, encoding="utf-8")
    write_esci(folder / "raw", 200, 3)
    keys = pl.read_parquet(folder / "raw" / PRODUCTS).filter(pl.col("product_id") != "")
    keys = keys.select(locale="product_locale", product_id="product_id").unique(maintain_order=True).sort(pl.all())
    goods = keys.with_columns(
        price=pl.when(place % 7 != 0).then(place % 50 + 0.99),
        released=pl.datetime(2024, 1, 1, time_zone="UTC") + pl.duration(days=place % 300, hours=place % 5),
        category=pl.when(place % 3 == 0).then(pl.lit("Home > Kitchen")).otherwise(pl.lit("Home > Garden")),
        tags=pl.when(place % 2 == 0).then(pl.lit(["Red", "new"], pl.List(pl.String))),
    )
    goods.write_parquet(root / "goods.parquet")
    run_context = open_run_context(load_settings(root))
    return Shop(run_context.home, goods, build(run_context, folder / "raw"))


def test_sql_and_registry_know_it(shop: Shop) -> None:
    with shop.home.lake.reading() as connection:
        (count,) = connection.execute(
            "SELECT count(*) FROM attributes.goods JOIN staging.products USING (key)"
        ).fetchone()
        features = connection.sql(
            "SELECT feature, type, tower FROM registry.features WHERE table_name = 'attributes.goods'"
        )
        assert {row[:2] for row in features.fetchall()} == {
            ("attributes.goods.price", "DOUBLE"),
            ("attributes.goods.released", "TIMESTAMP WITH TIME ZONE"),
            ("attributes.goods.category", "VARCHAR"),
            ("attributes.goods.tags", "VARCHAR[]"),
        }
        view = connection.execute("SELECT ttl_days, entity FROM registry.feature_views WHERE key = 'goods'").fetchone()
        lineage = connection.execute(
            "SELECT source_table, source_column FROM registry.lineage "
            "WHERE table_name = 'attributes.goods' AND column_name = 'price'"
        ).fetchall()
        watched = connection.execute(
            "SELECT DISTINCT column_name FROM monitoring.feature_stats WHERE table_name = 'attributes.goods'"
        ).fetchall()
    assert count > 150
    assert view == (None, "product")
    assert lineage == [("goods.parquet", "price")]
    assert {name for (name,) in watched} == {"price", "released", "category", "tags"}


def test_the_ui_shows_its_column_with_type_meaning_and_check(shop: Shop) -> None:
    graph = assemble(shop.home.feature_views).resolve_asset_graph()
    node = graph.get(dg.AssetKey(["attributes", "goods"]))
    columns = {column.name: column for column in node.metadata["dagster/column_schema"].columns}
    assert list(columns) == ["key", "price", "released", "category", "tags"]
    assert (columns["price"].type, columns["price"].description) == ("DOUBLE", "price in USD")
    assert {key.name for key in graph.get_check_keys_for_assets({node.key})} == {"contract"}
    assert node.key in graph.get(dg.AssetKey(["registry", "feature_views"])).parent_keys


def test_a_lookup_shows_it(shop: Shop) -> None:
    row = shop.goods.row(8, named=True)
    (found,) = Lookup(shop.home).products([f"{row['locale']}:{row['product_id']}"])
    assert (found["goods.price"], found["goods.category"], found["goods.tags"]) == (
        8.99,
        "Home > Garden",
        ["Red", "new"],
    )
    assert datetime.fromisoformat(found["goods.released"]) == row["released"]
    (at,) = Lookup(shop.home).products([found["key"]], datetime(1999, 1, 1, tzinfo=UTC))
    assert at["goods.price"] == 8.99


def test_a_search_filters_and_counts_by_it(shop: Shop) -> None:
    searcher = Searcher(shop.home)
    priced = {
        f"{row['locale']}:{row['product_id']}": row
        for row in shop.goods.iter_rows(named=True)
        if row["price"] is not None and row["price"] < 20 and row["tags"] is not None
    }
    answer = searcher.answer("home", 20, where="price < 20 AND 'red' IN tags", facets=["category", "tags", "price"])
    assert answer.hits
    assert {hit.key for hit in answer.hits} <= priced.keys()
    categories, tags, prices = answer.facets
    assert {value.value for value in categories.values} <= {"Home > Kitchen", "Home > Garden"}
    assert [(value.value, value.count, value.where) for value in tags.values] == [
        ("Red", answer.found, "'red' IN tags"),
        ("new", answer.found, "'new' IN tags"),
    ]
    assert sum(value.count for value in prices.values) == answer.found


def test_the_towers_read_it(shop: Shop) -> None:
    spec = feature_spec("features.products", shop.home.feature_views)
    assert "goods.price" in spec.numeric
    assert "goods.category" in spec.categorical
    assert {"goods.price", "goods.category"} <= set(datasets.products(shop.home.lake).columns)
    assert shop.report.model


def test_the_ranker_reads_the_same_values_in_an_evaluation_and_in_a_search(shop: Shop) -> None:
    home, release = shop.home, shop.home.releases.require()
    assert {"goods.price", "goods.released"} <= set(read_ranker(home.rankers / release.ranker_id)["features"])
    run_context, ranker = (
        open_run_context(load_settings(home.root)),
        StoredRanker.load(home.rankers / release.ranker_id),
    )
    products = datasets.products(home.lake).sort("locale", "product_id")
    catalog = Catalog(products.select("locale", "product_id"))
    judged = JudgedSet.from_frame(datasets.validation_judgements(home.lake), catalog)
    model = ServingModel(run_context, release.model_id)
    vectors = stored_vectors(run_context, release.vector_table, release.vector_version, products)
    dense = DenseRanker(model.query_vectors(with_query_keys(judged)), vectors)
    found = search_as(run_context, ranker, model, catalog, judged, dense, release.text_version)
    prices = found.candidates.features[:, found.candidates.names.index("goods.price")]
    expected = products.join(shop.goods, on=["locale", "product_id"], how="left", maintain_order="left")["price"]
    np.testing.assert_array_equal(prices, expected.fill_null(np.nan).to_numpy()[found.rows])
    searcher, keys = Searcher(home), products["key"].to_list()
    scores = ranked(found, ranker.ordering).scores
    for number, (locale, query) in enumerate(judged.queries.select("locale", "query").iter_rows()):
        rows = range(found.candidates.offsets[number], found.candidates.offsets[number + 1])
        rows_of = {keys[found.rows[row]]: row for row in rows if found.candidates.is_retrieved[row]}
        for hit in searcher.search(query, 5, locale, explain=True, fold=False):
            row = rows_of.get(hit.key)
            if row is not None:
                shown = hit.explanation.features["goods.price"]
                assert (np.nan if shown is None else shown) == pytest.approx(prices[row], abs=0, nan_ok=True)
                assert hit.score == pytest.approx(scores[row], abs=1e-5)


def test_the_next_build_finds_nothing_new(shop: Shop) -> None:
    assert not build(open_run_context(load_settings(shop.home.root))).changed
