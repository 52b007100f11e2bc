"""`stockroom apply --incoming` ingests the waiting files in one run, also if no daemon watches the folder."""

import json

import dagster as dg
import pytest

from orchestration.commands.apply import apply
from orchestration.commands.apply_inbox import apply_incoming
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import INCOMING, open_instance
from orchestration.instance.locks import server_lock
from orchestration.serving.searcher import Searcher

STORES_EVENTS = True


def drop(home, name, **row):
    path = home.incoming / name
    path.write_text(json.dumps({"product_locale": "us", **row}) + "\n", encoding="utf-8")
    return path


def runs(home):
    with open_instance(home) as instance:
        return {run.run_id: run for run in instance.get_runs()}


@pytest.fixture(scope="module")
def brought(copy_home, tmp_path_factory):
    """Bring in one good file of two, in a copied home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        run_context = open_run_context(load_settings(copy_home()))
        home = run_context.home
        home.incoming.mkdir()
        before = runs(home).keys(), home.releases.live()
        drop(home, "monday.jsonl", op="upsert", product_id="N1", product_title="Velvet accordion")
        drop(home, "bad.jsonl", op="upsert", product_title="Nothing")
        return run_context, before, apply_incoming(run_context, settle_s=0)


def test_the_good_file_reaches_searches_by_one_run_and_the_bad_one_goes_aside(brought):
    run_context, (runs_before, release_before), report = brought
    home = run_context.home
    assert (report.done, list(report.failed), report.unsettled) == (["monday.jsonl"], ["bad.jsonl"], [])
    assert "no column product_id" in report.failed["bad.jsonl"]
    assert runs(home).keys() - runs_before == {report.apply.run.run_id}
    assert home.releases.live().release == release_before.release + 1
    assert Searcher(home, run_context.encoder).search("velvet accordion", 1)[0].key == "us:N1"
    assert {path.name for path in home.incoming.rglob("*.jsonl*")} == {
        "monday.jsonl",
        "bad.jsonl",
        "bad.jsonl.reason.txt",
    }


def test_a_file_that_was_applied_elsewhere_is_moved_without_a_run(brought, stockroom):
    run_context, *_ = brought
    home = run_context.home
    apply(run_context, [drop(home, "tuesday.jsonl", op="delete", product_id="N1")])  # or killed before it was moved
    before = runs(home).keys(), home.releases.live()
    report = json.loads(stockroom("apply", "--incoming", "--json", "--home", home.root).out)
    assert report == {"done": ["tuesday.jsonl"], "failed": {}, "unsettled": [], "left_to": None, "apply": None}
    assert (runs(home).keys(), home.releases.live()) == before


def test_files_of_a_run_of_the_ui_are_left_to_it(brought, stockroom):
    home = brought[0].home
    drop(home, "wednesday.jsonl", op="delete", product_id="N2")
    with open_instance(home) as instance, server_lock(home):
        run = dg.DagsterRun(job_name="apply", run_id="ours", tags=INCOMING, status=dg.DagsterRunStatus.NOT_STARTED)
        instance.add_run(run)
        report = apply_incoming(brought[0], settle_s=0)
        assert (report.left_to, report.apply) == ("ours", None)
    assert (home.incoming / "wednesday.jsonl").exists()


def test_files_or_the_folder_but_not_both(brought, stockroom):
    home = brought[0].home
    for arguments in ((), ("--incoming", "some.jsonl"), ("--incoming", "--retrain")):
        answer = stockroom("apply", *arguments, "--home", home.root)
        assert answer.status == 1
        assert "takes files, or --incoming alone" in answer.err
