"""A new model with lower recall is refused; searches and catalog changes go on under the live model."""

import json
import shutil
from dataclasses import replace

import dagster as dg
import polars as pl
import pytest

from assets.release.release_checks import the_gate_let_the_model_through
from models.training.retrieval_validation import RetrievalCheck, RetrievalScores
from orchestration.commands.build import build
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import open_instance
from orchestration.serving.searcher import Searcher
from warehouse.features import datasets
from warehouse.operations import consistency
from warehouse.settings import ReleaseSettings

pytestmark = pytest.mark.slow

STORES_EVENTS = True

PRODUCTS = "shopping_queries_dataset_products.parquet"
QUERIES = ["black tent", "wireless earbuds", "office chair", "funda", "coffee maker"]
MANY_QUERIES = ReleaseSettings(min_queries=10_000)
TRAINING = {"LEARNING_RATE": "0.003", "EPOCHS": "1", "ALPHAS": "[4.0]"}
CHECK = "the_gate_let_the_model_through"


def _shuffled(read):
    """Return training pairs whose labels stand on other pairs."""

    def read_shuffled(lake):
        pairs = read(lake)
        return pairs.with_columns(pairs["label"].shuffle(seed=1))

    return read_shuffled


def _the_more_the_better(_check, alpha, _gate_facts):
    """Choose the strongest change: the training's own look at validation would else find the encoder better."""
    return RetrievalScores(alpha, recall_at_10=alpha / 10, recall_at_100=1.0, mrr=0.0)


@pytest.fixture(scope="module")
def changed_raw(built, tmp_path_factory):
    """Return the files with another title for one product that no judgement of train or validation names."""
    folder = tmp_path_factory.mktemp("changed") / "esci"
    shutil.copytree(built.raw, folder)
    with open_run_context(load_settings(built.home)).home.lake.reading() as connection:
        free = connection.sql(
            "SELECT product_id, locale FROM staging.products WHERE key NOT IN "
            "(SELECT product_key FROM training.pairs WHERE split != 'test') AND locale = 'us' ORDER BY key LIMIT 1"
        ).fetchone()
    is_free = (pl.col("product_id") == free[0]) & (pl.col("product_locale") == free[1])
    rows = pl.read_parquet(folder / PRODUCTS)
    changed = pl.when(is_free).then(pl.lit("Entirely new velvet accordion")).otherwise("product_title")
    rows.with_columns(product_title=changed).write_parquet(folder / PRODUCTS)
    return folder


@pytest.fixture(scope="module")
def history(built, changed_raw, copy_home):
    """Build on a copied home: shuffled labels, the same again, twice, another title, then with force, and once more.

    The second time more queries are asked for than there are.

    The training reads shuffled labels, the gate the true ones.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        for name, value in TRAINING.items():
            patch.setenv(f"STOCKROOM_TRAINING__{name}", value)
        patch.setenv("STOCKROOM_RANKING__METHOD", "vector")  # the ranker would make up for a bad model
        patch.setattr(datasets, "training_pairs", _shuffled(datasets.training_pairs))
        patch.setattr(RetrievalCheck, "_measure", _the_more_the_better)
        run_context = open_run_context(load_settings(copy_home()))
        hits, reports, releases, checks = {"before": _hits(run_context)}, {}, {}, {}
        steps = {"refused": None, "again": None, "few": None, "changed": changed_raw, "forced": None, "after": None}
        for step, raw in steps.items():
            asking = replace(run_context, release=MANY_QUERIES) if step == "few" else run_context
            reports[step] = build(replace(asking, force=step == "forced"), raw)
            hits[step], releases[step] = _hits(run_context), run_context.home.releases.live()
            checks[step] = the_gate_let_the_model_through(asking)
    return run_context, reports, releases, hits, checks


def _hits(run_context):
    searcher = Searcher(run_context.home, run_context.encoder)
    return {query: [hit.to_dict() for hit in searcher.search(query, 20)] for query in QUERIES}


def test_a_model_trained_on_shuffled_labels_is_refused_and_searches_answer_as_before(built, history):
    run_context, reports, releases, hits, _ = history
    gate = reports["refused"].gate
    assert gate["decision"] == "refused"
    assert gate["model_id"] != built.report["model"] == gate["live_model_id"]
    assert gate["high"] < 0  # worse beyond doubt
    assert gate["low"] <= -gate["margin"] == -0.01
    assert gate["recall_at_10"] - gate["baseline_recall_at_10"] == pytest.approx(gate["difference"])
    assert (reports["refused"].release, reports["refused"].new_release) == (built.report["release"], False)
    assert reports["refused"].model == built.report["model"]
    assert releases["refused"].vector_version == built.report["vector_version"]
    assert hits["refused"] == hits["before"]  # to the last bit of every score
    assert run_context.home.vectors.count(releases["refused"].vector_table, releases["refused"].vector_version) > 0


def test_the_refused_model_was_really_trained_on_them(history):
    run_context, reports, *_ = history
    with run_context.home.lake.reading() as connection:
        epochs = connection.execute(
            "SELECT count(*) FROM evaluation.training_log WHERE model_id = ?", [reports["refused"].gate["model_id"]]
        ).fetchone()
    assert epochs == (2,)  # the encoder, and one epoch


def test_the_check_says_why(history):
    run_context, reports, _, _, checks = history
    check, gate = checks["refused"], reports["refused"].gate
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == f"refused: {gate['reason']}"
    for number in ("recall_at_10", "baseline_recall_at_10", "low"):
        assert f"{gate[number]:.4f}" in gate["reason"]
        assert check.metadata[number].value == gate[number]
    with open_instance(run_context.home) as instance:
        logged = instance.all_logs(reports["refused"].run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        (own,) = [
            one
            for one in (entry.get_dagster_event().asset_check_evaluation_data for entry in logged)
            if one.check_name == CHECK
        ]
    assert (own.passed, own.blocking, own.asset_key.path) == (False, False, ["releases", "live"])


def test_a_refused_model_is_not_scored_again_and_nothing_is_written(history):
    run_context, reports, releases, hits, _ = history
    again = reports["again"]
    assert not again.changed
    assert again.gate == reports["refused"].gate
    assert run_context.home.journal.run(reports["refused"].run_id)["evaluation.gate"]["scored"]
    assert not run_context.home.journal.run(again.run_id)["evaluation.gate"]["scored"]
    assert (releases["again"], hits["again"]) == (releases["refused"], hits["refused"])


def test_with_too_few_queries_the_gate_is_undecided_and_the_live_model_stays(history):
    _, reports, releases, hits, checks = history
    gate, check = reports["few"].gate, checks["few"]
    assert (gate["decision"], gate["model_id"]) == ("undecided", reports["refused"].gate["model_id"])
    assert gate["reason"].startswith(f"{gate['queries']} validation queries are too few to judge, 10,000 are wanted")
    assert gate["reason"].endswith("judge more queries, or set release.min_queries")
    assert (gate["low"], gate["high"]) == (None, None)
    assert gate["difference"] == pytest.approx(gate["recall_at_10"] - gate["baseline_recall_at_10"])
    assert (releases["few"], hits["few"]) == (releases["refused"], hits["refused"])
    assert not check.passed
    assert check.description == f"undecided: {gate['reason']}"
    lead = reports["few"].relevance["model_minus_encoder"]["ndcg"]
    assert (lead["low"], lead["high"]) == (None, None)
    assert reports["changed"].relevance["model_minus_encoder"]["ndcg"]["low"] is not None


def test_changed_products_go_live_under_the_old_model_while_the_new_one_is_refused(built, history):
    run_context, reports, releases, _, _ = history
    changed, release = reports["changed"], releases["changed"]
    assert changed.gate["decision"] == "refused"
    assert changed.gate["model_id"] == reports["refused"].gate["model_id"]  # not trained again
    assert run_context.home.journal.run(changed.run_id)["evaluation.gate"]["scored"]  # the catalog is another
    assert (release.release, release.kind) == (built.report["release"] + 1, "catalog")
    assert (release.model_id, release.snapshot) == (built.report["model"], changed.snapshot)
    assert changed.new_vectors
    assert consistency.key_differences(run_context.home, release) == (0, 0)
    measured = json.loads(release.metrics)
    assert measured["gate"]["decision"] == "first"  # what let the live model in, not what kept the other out
    assert measured["rankers"]["model"] == changed.relevance["rankers"]["model"]
    stored = run_context.home.vectors.read(release.vector_table, release.vector_version, ["title"])
    assert "Entirely new velvet accordion" in stored["title"].to_pylist()


def test_force_publishes_a_refused_model_and_every_report_shows_it(history):
    run_context, reports, releases, hits, checks = history
    forced, release = reports["forced"], releases["forced"]
    assert forced.gate["decision"] == "forced"
    assert (release.kind, release.model_id) == ("model", reports["refused"].gate["model_id"])
    assert release.note == f"forced: {forced.gate['reason']}"
    assert json.loads(release.metrics)["gate"] == forced.gate
    with run_context.home.lake.reading() as connection:
        rows = connection.execute(
            "SELECT decision, reason FROM evaluation.gate WHERE (ranker_id, live_ranker_id) = (?, ?)",
            [forced.gate["ranker_id"], forced.gate["live_ranker_id"]],
        )
        assert rows.fetchall() == [("forced", forced.gate["reason"])]
    assert hits["forced"] != hits["changed"]
    assert not checks["forced"].passed


def test_after_force_nothing_is_left_to_decide(history):
    _, reports, releases, hits, checks = history
    assert not reports["after"].changed
    assert reports["after"].gate is None
    assert (releases["after"], hits["after"]) == (releases["forced"], hits["forced"])
    assert checks["after"].description == checks["forced"].description


def test_the_first_model_goes_live_with_any_score(built):
    gate = built.report["gate"]
    assert (gate["decision"], gate["baseline"], gate["live_model_id"]) == ("first", "encoder", None)
    assert gate["reason"].startswith("no model was live before, so this one goes live whatever it scores: recall@10 ")
    assert "must" not in gate["reason"]


def test_status_shows_what_the_gate_said(stockroom, history):
    run_context, reports, *_ = history
    facts = json.loads(stockroom("status", "--json", "--home", run_context.home.root).out)
    assert facts["gate"] == reports["forced"].gate
    output = " ".join(stockroom("status", "--home", run_context.home.root).out.split())
    assert f"forced: {facts['gate']['reason']}" in output
