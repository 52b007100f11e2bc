"""A catalog without judgements, with a few, with enough, and without them again: build, search and evaluate in each case."""

from dataclasses import replace

import polars as pl
import pytest

from orchestration.commands.build import build
from orchestration.commands.evaluate.folds import evaluate_folds
from orchestration.commands.evaluate.live import evaluate_live
from orchestration.commands.tune import tune
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError

SETTINGS = """
[warehouse]
threads = 1
validation_percent = 20

[encoder]
precision = "f32"

[training]
epochs = 2
min_queries = 50

[ranking]
trees = 5
"""
EXAMPLES = "shopping_queries_dataset_examples.parquet"
KINDS = ("lamp", "chair", "kettle", "jacket", "tent", "drill", "shelf", "clock", "mirror", "carpet")
COLORS = ("red", "blue", "green", "white", "black", "brown")


@pytest.fixture(scope="module")
def home(tmp_path_factory, word_encoder):
    """Return the settings of an empty home, whose encoder knows words."""
    root = tmp_path_factory.mktemp("few") / "home"
    root.mkdir()
    (root / "stockroom.toml").write_text(SETTINGS, encoding="utf-8")
    return load_settings(root)


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """Return a function that writes a catalog of 60 products in which some queries are judged; None: without the file."""
    products = pl.DataFrame(
        [
            {
                "product_id": f"P{place}",
                "product_title": f"{color} {kind} model M{place:03}",
                "product_description": None,
                "product_bullet_point": None,
                "product_brand": f"Brand{place % 4}",
                "product_color": color,
                "product_locale": "us",
            }
            for place, (kind, color) in enumerate((kind, color) for kind in KINDS for color in COLORS)
        ],
        schema_overrides=dict.fromkeys(("product_description", "product_bullet_point"), pl.String),
    )

    def judged(number):
        for query in range(number):
            for label, product in (("E", query % 60), ("I", (query + 7) % 60)):
                yield {
                    "example_id": 2 * query + (label == "I"),
                    "query": f"{KINDS[query % 60 // 6]} {COLORS[query % 6]} {query}",
                    "query_id": query,
                    "product_id": f"P{product}",
                    "product_locale": "us",
                    "esci_label": label,
                    "small_version": 1,
                    "large_version": 1,
                    "split": "test" if query % 5 == 4 else "train",
                }

    def make(number):
        folder = tmp_path_factory.mktemp("raw")
        products.write_parquet(folder / "shopping_queries_dataset_products.parquet")
        if number is not None:
            rows = pl.DataFrame(list(judged(max(number, 1))))
            rows.head(2 * number).write_parquet(folder / EXAMPLES)
        return folder

    return make


def _build(settings, folder, **options):
    return build(replace(open_run_context(settings), **options), folder)


def _first(settings):
    return Searcher(settings.home, settings.encoder).search("green kettle", 1)[0].title


@pytest.fixture(scope="module")
def unjudged(home, write):
    """Return the report of the build without judgements, which comes first."""
    return _build(home, write(None))


def test_without_a_judgement_words_and_vectors_answer(home, unjudged):
    report, run_context = unjudged, open_run_context(home)
    assert report.judged == {
        "judgements": 0,
        "queries": {"train": 0, "validation": 0, "test": 0},
        "needed": {"train": 50, "validation": 50},
        "to_train": 63,
        "to_choose": 250,
    }
    assert report.warnings == []
    assert report.gate["decision"] == "first"
    assert report.relevance["rankers"] == {}
    assert {row["ranker"] for row in report.known_items} == {"vector", "text", "ranked"}
    found = {(row["ranker"], row["metric"]): row["value"] for row in report.known_items if row["locale"] == "all"}
    assert found["text", "recall@10"] == found["ranked", "recall@10"] == 1.0
    assert _first(home).startswith("green kettle")
    assert evaluate_live(run_context)["known_items"] == report.known_items
    with pytest.raises(WarehouseError, match="nothing to divide into folds: no query has an Exact product"):
        evaluate_folds(run_context, 2)
    with pytest.raises(WarehouseError, match="nothing to tune; too few to train on: 0 queries of 50"):
        tune(run_context, 1)


@pytest.mark.slow
def test_from_one_judgement_to_many_and_back(home, write, unjudged):
    none = unjudged.model
    report = _build(home, write(1))
    assert (report.model, report.judged["queries"]) == (none, {"train": 1, "validation": 0, "test": 0})
    assert report.known_items
    assert report.unknown_tokens == {}  # this encoder has no folder with a tokenizer

    report = _build(home, write(10))
    assert (report.model, report.warnings) == (none, [])
    assert report.gate is None or report.gate["decision"] == "passed"
    assert report.judged["queries"]["test"] == 2
    assert report.relevance["rankers"]["ranked"]["queries"] == 2
    assert report.known_items == []

    report = _build(home, write(100))
    assert report.judged["queries"]["train"] >= 50
    assert report.gate["model_id"] != none

    report = _build(home, write(1000))
    assert report.gate["queries"] >= 50
    assert report.gate["model_id"] != none

    trained = report.model
    with pytest.raises(WarehouseError, match=r"without .*examples.parquet would remove 2,000 of the 2,000 rows"):
        _build(home, write(None))
    report = _build(home, write(0), allow_loss=True)
    assert report.rows["staging.judgements"] == 0
    assert report.model == trained
    assert _first(home).startswith("green kettle")
