"""Hard negatives of a real home: mined once, equal to an independent computation, and used by the training."""

from dataclasses import replace

import dagster as dg
import polars as pl
import pytest

from assets.model.hard_negatives import negatives, negatives_are_not_relevant
from assets.run_context import RunContext
from assets.services.model_training import feature_spec, model_name
from assets.services.text_vectors import TextVectors, product_texts, query_texts
from assets.services.training_arrays import training_data
from models.training.hard_negative_mining import MiningSettings
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError
from warehouse.home import Home

MINING = MiningSettings(per_query=3, depth=20, positive_share=0.9, product_rows=64)


@pytest.fixture(scope="module")
def run_context(copy_home) -> RunContext:
    """Return a copy of the built home in which negatives were mined."""
    own = replace(open_run_context(load_settings(copy_home())), mining=MINING)
    run(own)
    return own


def run(run_context: RunContext) -> dict[str, object]:
    """Run the asset alone; return the metadata of training.negatives."""
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([negatives], instance=instance, resources={"run_context": run_context})
        (event,) = done.asset_materializations_for_node("negatives")[:1]
        return {name: value.value for name, value in event.metadata.items()}


def ask(home: Home, sql: str) -> pl.DataFrame:
    with home.lake.reading() as connection:
        return connection.sql(sql).pl()


def rows(run_context: RunContext) -> pl.DataFrame:
    return ask(run_context.home, "FROM training.negatives ORDER BY query_key, rank")


def test_they_are_those_of_a_plain_search(run_context: RunContext) -> None:
    home, vectors = run_context.home, TextVectors(run_context)
    products = ask(home, "FROM staging.products ORDER BY key")
    judged = ask(home, "FROM training.pairs WHERE split = 'train'")
    of_products = dict(zip(products["key"], vectors.cached(product_texts(products)).astype(float), strict=True))
    expected = []
    for (key, query), own in sorted(judged.group_by("query_key", "query"), key=lambda group: group[0]):
        vector = vectors.cached(query_texts(pl.DataFrame({"query": [query]})))[0].astype(float)
        score = {
            product: round(float(vector @ other), 6)
            for product, other in of_products.items()
            if product[:3] == str(key)[:3]  # never another locale
        }
        labels = dict(own.select("product_key", "label").iter_rows())
        exact = [score[product] for product, label in labels.items() if label == "E"]
        if not exact:
            continue
        nearest = sorted(score, key=lambda product: (-score[product], product))[: MINING.depth]
        eligible = [
            (key, product, rank, labels.get(product))
            for rank, product in enumerate(nearest, start=1)
            if labels.get(product, "I") == "I" and score[product] <= max(exact) - 0.1 * abs(max(exact))
        ]
        expected += eligible[: MINING.per_query]
    negatives = rows(run_context)
    assert negatives.select("query_key", "product_key", "rank", "label").rows() == expected
    assert negatives.height > 20


def test_the_margin_holds_and_the_exact_product_is_one(run_context: RunContext) -> None:
    negatives = rows(run_context)
    assert (negatives["score"] <= negatives["positive_score"] - 0.1 * negatives["positive_score"].abs() + 1e-9).all()
    exact = ask(run_context.home, "SELECT query_key, product_key AS positive_key FROM training.pairs WHERE label = 'E'")
    assert negatives.join(exact, on=["query_key", "positive_key"], how="anti").is_empty()


def test_the_exclusions_of_each_rule_are_counted(run_context: RunContext) -> None:
    (mining,) = ask(run_context.home, "FROM training.mining").to_dicts()
    negatives = rows(run_context)
    assert mining["negatives"] == negatives.height
    assert mining["queries"] >= negatives["query_key"].n_unique()
    assert 0 < mining["relevant"] + mining["too_close"] < mining["looked_at"] <= mining["queries"] * MINING.depth


def test_again_nothing_is_mined_or_written(run_context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.services.negative_mining.mine", lambda *_: pytest.fail("mined again"))
    before = run_context.home.lake.snapshot()
    run(run_context)
    assert run_context.home.lake.snapshot() == before


def test_off_is_empty_and_costs_nothing(built, copy_home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.services.negative_mining.mine", lambda *_: pytest.fail("mined"))
    own = replace(open_run_context(load_settings(copy_home())), mining=MiningSettings(per_query=0))
    run(own)
    before = own.home.lake.snapshot()
    run(own)
    assert own.home.lake.snapshot() == before
    assert rows(own).is_empty()
    assert ask(own.home, "FROM training.mining").is_empty()


def test_to_draw_from_what_is_not_mined_is_refused(run_context: RunContext) -> None:
    drawing = run_context.training.model_copy(update={"mined_per_query": 1})
    with pytest.raises(WarehouseError, match="none are mined"):
        run(replace(run_context, training=drawing, mining=MiningSettings(per_query=0)))


def test_the_check_finds_one_that_is_relevant_under_another_id_of_the_query(run_context: RunContext, copy_home) -> None:
    assert negatives_are_not_relevant(run_context).passed
    own = replace(open_run_context(load_settings(copy_home())), mining=MINING)
    run(own)
    query, product = rows(own).select("query_key", "product_key").row(0)
    with own.home.lake.writing() as connection:
        connection.execute(
            "INSERT INTO staging.queries BY NAME SELECT * REPLACE (key || '0' AS key, upper(query) AS query) "
            "FROM staging.queries WHERE key = ?",
            [query],
        )
        connection.execute(
            "INSERT INTO staging.judgements BY NAME SELECT * REPLACE "
            "('new' AS key, ? AS query_key, ? AS product_key, 'S' AS label) FROM staging.judgements LIMIT 1",
            [f"{query}0", product],
        )
    checked = negatives_are_not_relevant(own)
    assert not checked.passed
    assert checked.metadata["relevant_negatives"].value == 1


def test_training_reads_them_and_is_named_by_them_only_if_it_draws_some(run_context: RunContext) -> None:
    drawing = replace(run_context, training=run_context.training.model_copy(update={"mined_per_query": 1}))
    specs = feature_spec("features.queries"), feature_spec("features.products")
    assert len(training_data(run_context, TextVectors(run_context), *specs).mined_query) == 0
    data = training_data(drawing, TextVectors(drawing), *specs)
    queries = ask(run_context.home, "SELECT key FROM staging.queries ORDER BY key")["key"]
    products = ask(run_context.home, "SELECT key FROM staging.products ORDER BY locale, product_id")["key"]
    pairs = zip(queries[data.mined_query], products[data.mined_product], strict=True)
    negatives = rows(run_context).select("query_key", "product_key")
    assert sorted(pairs) == sorted(negatives.rows())
    named, plain = model_name(drawing), model_name(run_context)
    with run_context.home.lake.writing() as connection:
        connection.execute("DELETE FROM training.negatives WHERE key = (SELECT min(key) FROM training.negatives)")
    assert model_name(drawing) != named
    assert model_name(run_context) == plain
