"""The resource that opens the home for runs that the UI starts."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from orchestration.config.open_context import open_home
from orchestration.config.settings import load_settings
from orchestration.defs.resources import run_context_resource
from orchestration.instance.locks import run_lock
from warehouse.errors import WarehouseError
from warehouse.history.checkpoints import mark
from warehouse.home import Home
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas
from warehouse.settings import WarehouseSettings


def _held(home: Home) -> bool:
    try:
        with run_lock(home):
            return False
    except WarehouseError:
        return True


def test_a_run_of_deltas_takes_in_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("STOCKROOM_RAW", "a-folder")
    seen = []
    for deltas in ([], ["a.jsonl", "b.jsonl"]):
        config = {"home": str(tmp_path), "deltas": deltas}
        with dg.build_resources({"run_context": run_context_resource.configured(config)}) as resources:
            seen.append((resources.run_context.raw, resources.run_context.deltas))
    assert seen == [(Path("a-folder"), ()), (None, (Path("a.jsonl"), Path("b.jsonl")))]


@pytest.mark.parametrize("flag", ["force", "allow_loss"])
def test_what_the_launchpad_allows_the_run_may_do(tmp_path, flag):
    for config in ({"home": str(tmp_path)}, {"home": str(tmp_path), flag: True}):
        with dg.build_resources({"run_context": run_context_resource.configured(config)}) as resources:
            assert getattr(resources.run_context, flag) is (flag in config)


def test_a_run_of_what_was_dropped_takes_it_up_and_moves_it_once_it_is_published(copy_home, monkeypatch):
    monkeypatch.setenv("STOCKROOM_RAW", "a-folder")
    monkeypatch.setenv("STOCKROOM_AUTOMATION__SETTLE_S", "0")
    home = open_home(load_settings(copy_home()))
    home.incoming.mkdir()
    good, bad = home.incoming / "good.jsonl", home.incoming / "bad.jsonl"
    good.write_text('{"op": "delete", "product_locale": "us", "product_id": "N0"}\n')
    bad.write_text("no delta\n")
    config = {"home": str(home.root), "incoming": True}
    with dg.build_resources({"run_context": run_context_resource.configured(config)}) as resources:  # a run that fails
        assert (resources.run_context.raw, resources.run_context.deltas) == (None, (good,))
        assert not bad.exists()
    assert good.exists()
    with dg.build_resources({"run_context": run_context_resource.configured(config)}) as resources:
        apply_deltas(home.lake, check_deltas(resources.run_context.deltas))
        home.journal.append("run", "releases.live", {})
        mark(home.lake, "run", datetime.now(UTC))
    assert not good.exists()
    assert (home.incoming / "done" / "good.jsonl").exists()


def test_a_run_that_holds_the_live_model_wants_one(tmp_path):
    config = {"home": str(tmp_path), "pin_live_model": True}
    with (
        pytest.raises(dg.DagsterResourceFunctionError) as failed,
        dg.build_resources({"run_context": run_context_resource.configured(config)}),
    ):
        pass
    assert "there is no live model to go on with" in str(failed.value.__cause__)


@pytest.mark.parametrize("by", ["configuration", "environment"])
def test_a_run_has_the_home_it_is_told_and_holds_its_lock(tmp_path, monkeypatch, by):
    (tmp_path / "stockroom.toml").write_text("[training]\nepochs = 5\n")
    home = Home(tmp_path, WarehouseSettings(lock_timeout_s=0.1))
    if by == "environment":
        monkeypatch.setenv("STOCKROOM_HOME", str(tmp_path))

    @dg.op(required_resource_keys={"run_context"}, out={})
    def look(context):
        run_context = context.resources.run_context
        seen.append((run_context.home.root, run_context.training.epochs, _held(home)))
        run_context.progress("counting", 3)(1)

    @dg.job(resource_defs={"run_context": run_context_resource})
    def looking():
        look()

    seen: list[tuple] = []
    config = {"resources": {"run_context": {"config": {"home": str(tmp_path)}}}} if by == "configuration" else {}
    with dg.DagsterInstance.ephemeral() as instance:
        assert looking.execute_in_process(run_config=config, instance=instance).success
    assert seen == [(tmp_path, 5, True)]
    assert not _held(home)
