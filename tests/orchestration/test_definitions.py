"""Dagster loads the expected asset graph, quickly and without the heavy libraries."""

import json
import subprocess
import sys

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.defs.apply_job import APPLIED
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake.sync_tables import DERIVED_TABLES

# asset: (what it is made from, its kinds). The group is the first part of the name.
GRAPH = {
    "raw.products": (set(), {"parquet", "duckdb"}),
    "raw.judgements": (set(), {"parquet", "duckdb"}),
    "raw.sources": (set(), {"parquet", "duckdb"}),
    "raw.search_rules": (set(), {"parquet", "duckdb"}),
    "raw.files": (set(), {"parquet", "duckdb"}),
    "raw.deltas": (set(), {"parquet", "duckdb"}),
    "raw.events": (set(), {"parquet", "duckdb"}),
    "staging.products": ({"raw.products"}, {"polars"}),
    "staging.queries": ({"raw.judgements", "raw.sources", "staging.products"}, {"polars"}),
    "staging.judgements": ({"raw.judgements", "staging.products", "staging.queries"}, {"duckdb"}),
    "staging.search_rules": ({"raw.search_rules", "staging.products"}, {"polars"}),
    "splits.queries": ({"staging.queries"}, {"duckdb"}),
    "fitted.vocabulary": ({"splits.queries", "staging.judgements", "staging.products"}, {"duckdb"}),
    "features.products": ({"staging.products"}, {"duckdb"}),
    "features.queries": ({"staging.queries", "fitted.vocabulary"}, {"duckdb"}),
    "fitted.words": ({"staging.products"}, {"duckdb"}),
    "features.pairs": (
        {"staging.judgements", "staging.queries", "staging.products", "features.queries", "fitted.words"},
        {"duckdb"},
    ),
    "training.pairs": (
        {
            "splits.queries",
            "staging.judgements",
            "staging.queries",
            "staging.products",
            "features.products",
            "features.queries",
        },
        {"duckdb"},
    ),
    "registry.feature_views": ({"staging.judgements"}, {"duckdb"}),
    "training.point_in_time": ({"training.pairs", "registry.feature_views"}, {"duckdb"}),
    "quarantine.rows": (
        {
            "raw.products",
            "raw.judgements",
            "raw.sources",
            "raw.search_rules",
            "staging.products",
            "staging.queries",
            "staging.judgements",
            "staging.search_rules",
            "training.pairs",
        },
        {"duckdb"},
    ),
    "embeddings.texts": ({"features.products", "features.queries", "training.pairs"}, {"openvino", "lancedb"}),
    "training.negatives": ({"training.pairs", "embeddings.texts"}, {"numpy"}),
    "training.mining": ({"training.pairs", "embeddings.texts"}, {"numpy"}),
    "model.two_tower": (
        {"training.pairs", "training.point_in_time", "training.negatives", "fitted.vocabulary", "embeddings.texts"},
        {"pytorch"},
    ),
    "evaluation.training_log": ({"model.two_tower"}, {"duckdb"}),
    **{
        f"monitoring.{name}": (
            {"features.products", "features.queries", "features.pairs", "model.two_tower"},
            {"duckdb"},
        )
        for name in ("versions", "feature_stats", "drift")
    },
    "registry.lineage": (set(), {"duckdb"}),
    "vectors.products": (
        {"model.two_tower", "features.products", "registry.feature_views", "embeddings.texts"},
        {"lancedb"},
    ),
    "vectors.texts": ({"staging.products"}, {"lancedb"}),
    "model.ranker": (
        {"model.two_tower", "vectors.products", "vectors.texts", "fitted.words", "features.queries", "training.pairs"},
        {"lightgbm"},
    ),
    "evaluation.gate": ({"vectors.products", "model.ranker", "training.pairs"}, {"numpy"}),
    **{
        f"evaluation.{name}": ({"vectors.products", "model.ranker", "training.pairs", "evaluation.gate"}, {"numpy"})
        for name in ("metrics", "queries", "rankings", "known_items")
    },
    "releases.live": (
        {
            "vectors.products",
            "vectors.texts",
            "model.ranker",
            "evaluation.metrics",
            "evaluation.gate",
            "model.two_tower",
            "monitoring.drift",
            "registry.lineage",
            "registry.features",
            "features.pairs",
            "staging.search_rules",
            "quarantine.rows",
            "training.point_in_time",
        },
        {"lancedb"},
    ),
    "registry.tables": (set(), {"duckdb"}),
    "registry.features": (set(), {"duckdb"}),
}


# Written by the end of a run, or by a command.
WRITTEN_LAST = {
    "registry.snapshots",
    "registry.changes",
    "registry.watermarks",
    "evaluation.folds",
    "evaluation.trials",
}


@pytest.fixture(scope="module")
def graph():
    return defs.resolve_asset_graph()


@pytest.fixture(scope="module")
def nodes(graph):
    return {".".join(node.key.path): node for node in graph.asset_nodes}


def test_the_graph_is_the_one_that_people_know(nodes):
    graph = {name: ({".".join(key.path) for key in node.parent_keys}, set(node.kinds)) for name, node in nodes.items()}
    assert graph == GRAPH


def test_no_model_and_no_figure_depends_on_the_search_rules(nodes):
    parents = {name: {".".join(key.path) for key in node.parent_keys} for name, node in nodes.items()}
    assert {name for name, above in parents.items() if "staging.search_rules" in above} == {
        "quarantine.rows",
        "releases.live",
    }
    assert {name for name, above in parents.items() if above & {"quarantine.rows", "releases.live"}} == {
        "releases.live"
    }


def test_every_asset_says_what_it_is_in_the_group_of_its_name(nodes):
    for name, node in nodes.items():
        assert node.group_name == name.split(".")[0]
        assert node.description, name


def test_every_table_is_an_asset_with_its_columns_and_their_meaning(nodes):
    assert {table for table in CONTRACTS if table not in nodes} == WRITTEN_LAST
    for table in CONTRACTS.keys() & nodes.keys():
        schema = nodes[table].metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns] == list(CONTRACTS[table].columns), table
        assert all(column.type and column.description for column in schema.columns), table
        (key,) = [column.name for column in schema.columns if column.constraints.unique]
        assert key == CONTRACTS[table].key
        assert nodes[table].metadata["dagster/table_name"] == table


def test_everything_with_rows_shows_its_columns(nodes):
    for name in nodes.keys() - {"model.two_tower", "model.ranker"}:
        schema = nodes[name].metadata["dagster/column_schema"]
        assert all(column.name and column.type and column.description for column in schema.columns), name


def test_every_table_has_a_blocking_check_of_its_key(graph):
    contracts = [key for key in graph.asset_check_keys if key.name == "contract"]
    assert {".".join(key.asset_key.path) for key in contracts} == CONTRACTS.keys() - WRITTEN_LAST
    assert all(graph.get(key).blocking for key in contracts)
    others = {(".".join(key.asset_key.path), key.name) for key in graph.asset_check_keys if key.name != "contract"}
    assert others == {
        ("training.pairs", "train_is_apart_from_test"),
        ("monitoring.drift", "features_are_steady"),
        ("training.point_in_time", "pairs_see_no_future"),
        ("training.negatives", "negatives_are_not_relevant"),
        ("releases.live", "vectors_match_the_catalog"),
        ("releases.live", "the_gate_let_the_model_through"),
        ("releases.live", "online_matches_offline"),
        ("vectors.products", "rows_are_those_of_the_catalog"),
        ("vectors.texts", "rows_are_those_of_the_catalog"),
        ("vectors.texts", "words_are_those_of_the_catalog"),
        ("vectors.products", "no_vector_of_a_deleted_product"),
        ("vectors.products", "no_vector_of_another_model"),
        ("vectors.products", "vectors_are_what_the_model_makes"),
        ("vectors.products", "the_index_covers_the_rows"),
        ("vectors.products", "the_index_finds_what_exact_search_finds"),
    }


def test_the_function_that_fills_a_table_checks_it_too(graph):
    functions = {key: one.op.name for one in graph.assets_defs for key in one.keys}
    for one in graph.assets_defs:
        assert {functions[key.asset_key] for key in one.check_keys} <= {one.op.name}


def test_no_release_goes_past_the_checks_of_its_vectors(graph):
    assert dg.AssetKey(["vectors", "products"]) in APPLIED.resolve(graph)
    checks = [key for key in graph.asset_check_keys if key.asset_key.path == ["vectors", "products"]]
    assert len(checks) == 6
    warning = {key.name for key in checks if not graph.get(key).blocking}
    assert warning == {"the_index_covers_the_rows"}  # rows outside are found, if slower


def test_one_job_runs_everything_once(graph):
    job = defs.resolve_job_def("build")
    assert job.asset_layer.executable_asset_keys == graph.get_all_asset_keys()
    assert job.executor_def is dg.in_process_executor


def test_definitions_load_without_the_heavy_libraries():
    code = (
        "import json, sys; import orchestration.definitions; "
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    heavy = {"torch", "sentence_transformers", "transformers", "openvino", "lancedb", "matplotlib", "bm25s", "lightgbm"}
    assert heavy & set(json.loads(done.stdout)) == set()


def test_a_fold_recomputes_only_what_depends_on_the_split():
    keys = defs.resolve_job_def("fold_inputs").asset_layer.executable_asset_keys
    assert {".".join(key.path) for key in keys} == {
        "splits.queries",
        "fitted.vocabulary",
        "features.queries",
        "training.pairs",
        "training.point_in_time",
        "training.negatives",
        "training.mining",
        "embeddings.texts",
    }


def test_a_replay_rebuilds_the_inputs_of_models_and_mines_nothing():
    keys = defs.resolve_job_def("derived_tables").asset_layer.executable_asset_keys
    assert {".".join(key.path) for key in keys} == {*DERIVED_TABLES, "registry.feature_views"}


def test_dagsters_pages_can_load_every_job():
    jobs = {job.name for job in defs.get_repository_def().get_all_jobs()}
    assert jobs >= {"build", "apply", "vacuum", "training_inputs", "derived_tables", "fold_inputs"}
