"""An apply is one step of Dagster, and Dagster's pages show of it what a step for each asset would show."""

import json

import dagster as dg
import pytest

from orchestration.commands.apply import apply
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.defs.apply_job import APPLIED, APPLY_STEP
from orchestration.defs.build_definitions import assemble
from orchestration.instance.dagster_instance import open_instance
from warehouse.errors import WarehouseError
from warehouse.lake.contract_check import Broken

STORES_EVENTS = True


@pytest.fixture
def run_context(copy_home):
    return open_run_context(load_settings(copy_home()))


@pytest.fixture
def delta(tmp_path):
    path = tmp_path / "delta.jsonl"
    row = {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Velvet accordion"}
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    return path


def stored(run_context, run_id, kind):
    with open_instance(run_context.home) as instance:
        return [entry.get_dagster_event() for entry in instance.all_logs(run_id, of_type=kind)]


def names(events):
    return {".".join(event.asset_key.path) for event in events}


def test_assets_that_changed_and_those_made_from_them_are_reported(run_context, delta):
    report = apply(run_context, [delta])
    events = stored(run_context, report.run.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)
    assets = list(assemble(run_context.home.feature_views).assets)
    applied = {".".join(key.path) for key in APPLIED.resolve(assets)}
    assert all("dagster/data_version" in event.step_materialization_data.materialization.tags for event in events)
    assert names(events) < applied
    assert {"raw.products", "raw.deltas", "staging.products", "features.products", "releases.live"} < names(events)
    assert "staging.queries" in names(events)  # it is made from products as well
    assert {"raw.judgements", "raw.sources"} < names(events)  # they become stale with time
    assert not {"splits.queries", "registry.feature_views", "training.point_in_time"} & names(events)
    made = list(report.run.seconds)
    assert (made[0], made[-1]) == ("raw", "releases.live")
    assert {"splits.queries", "quarantine.rows", "training.point_in_time"} < set(made)


def test_the_checks_of_an_asset_that_changed_are_reported(run_context, delta):
    report = apply(run_context, [delta])
    events = stored(run_context, report.run.run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    checks = {event.asset_check_evaluation_data.asset_check_key for event in events}
    assets = list(assemble(run_context.home.feature_views).assets)
    specs = {spec.key for each in assets for spec in each.check_specs}
    changed = {"raw.products", "staging.products", "features.products", "vectors.products", "releases.live"}
    of_changed = {key for key in specs if ".".join(key.asset_key.path) in changed}
    assert of_changed <= checks < specs
    assert not {"raw.judgements", "staging.queries"} & {".".join(key.asset_key.path) for key in checks}


def test_an_asset_whose_last_run_stopped_before_its_report_is_reported_by_the_next(run_context, delta, monkeypatch):
    from orchestration.defs import apply_job

    def stopped(*_given):
        raise WarehouseError("stopped", "run again")

    with monkeypatch.context() as patch:
        patch.setattr(apply_job, "_materialization", stopped)
        with pytest.raises(WarehouseError, match="stopped"):
            apply(run_context, [delta])
    report = apply(run_context, [delta])
    events = stored(run_context, report.run.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert {"raw.products", "raw.deltas"} < names(events)


def test_the_steps_are_announced_by_the_names_of_their_tables(run_context, delta, monkeypatch):
    begun, ended = [], []

    def announce(task, _total):
        begun.append(task)
        return lambda _count: ended.append(task)

    object.__setattr__(run_context, "show_progress", announce)
    apply(run_context, [delta])
    assert begun[0] == "raw"
    assert begun[-1] == "releases.live"
    assert APPLY_STEP not in begun
    assert set(begun) == set(ended)


def test_a_failed_blocking_check_stops_the_run_before_what_depends_on_its_table(run_context, delta, monkeypatch):
    from assets.core import contract_checks

    original = contract_checks.verify

    def verify(connection, contract, *given):
        if contract.table == "staging.products":
            return [Broken("title_missing", 1, ["us:N1"])]
        return original(connection, contract, *given)

    live = run_context.home.releases.live().release
    with monkeypatch.context() as patch:
        patch.setattr(contract_checks, "verify", verify)
        with pytest.raises(WarehouseError, match=r"staging\.products fails the check contract: .*title_missing"):
            apply(run_context, [delta])
    assert run_context.home.releases.live().release == live
    with open_instance(run_context.home) as instance:
        (run,) = instance.get_runs(limit=1)
        assert run.status is dg.DagsterRunStatus.FAILURE
    made = {event.asset_key for event in stored(run_context, run.run_id, dg.DagsterEventType.ASSET_MATERIALIZATION)}
    assert dg.AssetKey(["staging", "products"]) in made
    assert dg.AssetKey(["features", "products"]) not in made
    assert apply(run_context, [delta]).release == live + 1
