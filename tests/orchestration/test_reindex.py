"""A reindex takes the rows outside the indexes in, beside searches and applies, and publishes the same rows."""

import json
from datetime import timedelta

import dagster as dg
import pytest

from assets.release import live_release
from orchestration.commands.apply import apply
from orchestration.commands.rollback import roll_back
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.definitions import defs
from orchestration.defs.sensors import next_reindex
from orchestration.reindex import reindex
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.operations import reindexing
from warehouse.operations.reindexing import Outside, outside


def silent(_task, _total):
    return lambda _done: None


@pytest.fixture(scope="module")
def copied(copy_home):
    """Return a home whose live release has a vector index, small as it is, and an applied product outside both indexes."""
    root = copy_home()
    home = open_run_context(load_settings(root)).home
    live = home.releases.live()
    home.vectors.refresh_index(live.vector_table, index_above=1)
    reindexing.publish_newest(home, live.published_at, "index of release {}")
    return root


@pytest.fixture
def run_context(copied):
    return open_run_context(load_settings(copied))


@pytest.fixture
def delta(tmp_path):
    numbers = iter(range(1, 100))

    def write(title="Velvet accordion"):
        path = tmp_path / f"delta-{next(numbers)}.jsonl"
        row = {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": title}
        path.write_text(json.dumps(row), encoding="utf-8")
        return path

    return write


def _titles(run_context):
    searcher = Searcher(run_context.home.root, run_context.encoder)
    return [hit.title for hit in searcher.search("velvet accordion", 3)]


def test_a_reindex_publishes_the_same_rows_with_whole_indexes(run_context, delta, stockroom):
    home = run_context.home
    report = apply(run_context, [delta("Velvet accordion one")])
    assert (report.rows_outside, report.needs_reindex) == (1, False)
    before, titles = home.releases.live(), _titles(run_context)
    assert titles[0] == "Velvet accordion one"
    shown = json.loads(stockroom("reindex", "--json", "--home", home.root).out)
    after = home.releases.live()
    assert shown == {"vectors": 1, "texts": 1, "changed": True, "release": after.release, "new_release": True}
    assert (after.release, after.kind, after.shows) == (before.release + 1, "catalog", before.shows)
    assert after.note == f"reindex: release {before.release}, with every row in its indexes"
    assert outside(home, 0.0) == Outside(0, 0, is_due=False)
    assert _titles(run_context) == titles
    for _ in range(2):
        shown = stockroom("reindex", "--home", home.root).out
        assert f"{after.release} stays live: nothing changed" in shown
    assert apply(run_context, [delta("Velvet accordion two")]).run.texts_encoded == 1


def test_a_killed_reindex_leaves_the_release_and_the_next_one_publishes(run_context, delta, monkeypatch):
    home = run_context.home
    apply(run_context, [delta("Velvet accordion three")])
    before = home.releases.live()

    def stop(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("orchestration.reindex.publish_newest", stop)
        with pytest.raises(KeyboardInterrupt):
            reindex(home, silent)
    assert home.releases.live() == before
    assert _titles(run_context)[0] == "Velvet accordion three"
    report = reindex(home, silent)
    assert (report.changed, report.new_release, report.release) == (False, True, before.release + 1)


@pytest.mark.slow
def test_an_apply_does_not_wait_for_a_reindex(run_context, delta):
    home = run_context.home
    apply(run_context, [delta("Velvet accordion four")])
    during = {}

    def announce(task, _total):
        if task == "vector index":  # the lock on indexes is held
            with pytest.raises(WarehouseError, match=r"index\.lock"), home_in_a_hurry(home).index_lock():
                pass
            during["report"] = apply(run_context, [delta("Velvet accordion five")])
        return lambda _done: None

    report = reindex(home, announce)
    assert during["report"].run.new_release
    assert report.new_release == (report.release > during["report"].release)
    assert _titles(run_context)[0] == "Velvet accordion five"
    assert outside(home, 0.0).vectors == 0


def home_in_a_hurry(home):
    return type(home)(home.root, home.settings.model_copy(update={"lock_timeout_s": 0.01}))


@pytest.mark.slow
def test_an_index_that_is_made_during_an_apply_does_not_hold_up_its_release(run_context, delta, monkeypatch):
    home = run_context.home
    unfinished = live_release.unfinished

    def reindexed_before(*arguments):
        reindexing.make_indexes(home, silent)
        return unfinished(*arguments)

    monkeypatch.setattr(live_release, "unfinished", reindexed_before)
    report = apply(run_context, [delta("Velvet accordion six")])
    assert (report.run.new_release, report.run.warnings, report.rows_outside) == (True, [], 0)
    monkeypatch.undo()
    assert apply(run_context, [delta("Velvet accordion seven")]).run.texts_encoded == 1
    reindex(home, silent)


def test_rows_that_no_release_has_are_not_published(run_context):
    home, live = run_context.home, run_context.home.releases.live()
    row = home.vectors.read(live.vector_table).slice(0, 1)
    spoiled = row.set_column(row.schema.get_field_index("input_hash"), "input_hash", [["other"]])
    home.vectors.apply(live.vector_table, [spoiled], [], row.schema.field("vector").type.list_size)
    report = reindex(home, silent)
    assert (report.changed, report.new_release) == (True, False)
    assert home.releases.live() == live
    home.vectors.apply(live.vector_table, [row], [], row.schema.field("vector").type.list_size)
    assert reindex(home, silent).new_release


def test_the_sensor_starts_one_run_for_a_release_that_lacks_many_rows(run_context, delta, monkeypatch, stockroom):
    home = run_context.home
    assert "0 rows outside the indexes" in next_reindex(home, 1.0).skip_message
    monkeypatch.setattr("warehouse.vectors.text_index.FLAT_ROWS", 0)
    shown = " ".join(stockroom("apply", delta("Velvet accordion eight"), "--home", home.root).out.split())
    assert "1 row is outside the index; stockroom reindex takes them in" in shown
    assert "1 row is outside the index" in " ".join(stockroom("status", "--home", home.root).out.split())
    before = home.releases.live()
    request = next_reindex(home, 1.0)
    assert request.run_key == f"release-{before.release}"
    monkeypatch.setenv("STOCKROOM_HOME", str(home.root))
    with dg.DagsterInstance.ephemeral() as instance:
        assert defs.resolve_job_def("reindex").execute_in_process(instance=instance).success
    assert home.releases.live().release == before.release + 1
    assert "0 rows outside the indexes" in next_reindex(home, 1.0).skip_message


def test_a_rollback_stays(run_context):
    home = run_context.home
    home.vectors.apply(home.releases.live().vector_table, [], [], 384)
    live = roll_back(home, run_context.encoder).live
    assert not reindex(home, silent).new_release
    assert reindexing.publish_newest(home, live.published_at + timedelta(1), "") is None
    assert home.releases.live() == live


def test_a_home_without_a_release_is_refused(tmp_path, stockroom):
    answer = stockroom("reindex", "--home", tmp_path / "home")
    assert (answer.status, "no data in" in answer.err) == (1, True)
