"""If only the query tower is trained, a new model goes live without a new product vector."""

import pytest

from orchestration.commands.build import build
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.serving.searcher import Searcher

pytestmark = pytest.mark.slow

MODE = {"STOCKROOM_TOWER__MODE": "query_only", "STOCKROOM_RELEASE__GATE_MARGIN": "1"}
QUERIES = ["black tent", "wireless earbuds", "office chair"]


@pytest.fixture(scope="module")
def history(copy_home):
    """Build with query-only towers twice, the second time by another seed."""
    root = copy_home()
    epochs = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        for name, value in MODE.items():
            patch.setenv(name, value)
        for seed in (3, 4):
            patch.setenv("STOCKROOM_TRAINING__SEED", str(seed))
            run_context = open_run_context(load_settings(root))
            report = build(run_context)
            searcher = Searcher(run_context.home, run_context.encoder)
            epochs.append((report, searcher.release, [searcher.search(query, 5) for query in QUERIES]))
        return run_context.home, epochs


def test_retraining_publishes_a_new_model(history):
    _, [(first, before, _), (second, after, _)] = history
    assert second.gate["decision"] == "passed"
    assert second.model != first.model
    assert (after.release, after.kind, after.model_id) == (before.release + 1, "model", second.model)


def test_retraining_writes_no_product_vector(history):
    home, [(first, before, _), (second, after, _)] = history
    assert first.new_vectors  # once: the home had separate towers before
    assert not second.new_vectors
    assert (after.vector_table, after.vector_version) == (before.vector_table, before.vector_version)
    assert home.vectors.version(after.vector_table) == before.vector_version
    written = home.journal.run(second.run_id)["vectors.products"]
    assert (written["upserted"], written["deleted"]) == (0, 0)


def test_searches_use_the_new_query_tower(history):
    _, [(*_, before), (*_, after)] = history
    for old, new in zip(before, after, strict=True):
        assert [hit.score for hit in old] != [hit.score for hit in new]
