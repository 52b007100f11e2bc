"""The resource that opens the home for runs that the UI starts."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.defs.run_context_resource import RunContextResource
from orchestration.instance.locks import run_lock
from warehouse.errors import WarehouseError
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas
from warehouse.settings import WarehouseSettings


def _is_locked(home: Home) -> bool:
    try:
        with run_lock(home):
            return False
    except WarehouseError:
        return True


def test_a_run_of_deltas_ingests_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("STOCKROOM_RAW", "a-folder")
    runs = []
    for deltas in ([], ["a.jsonl", "b.jsonl"]):
        config = {"home": str(tmp_path), "deltas": deltas}
        with dg.build_resources({"run_context": RunContextResource(**config)}) as resources:
            runs.append((resources.run_context.raw, resources.run_context.deltas))
    assert runs == [(Path("a-folder"), ()), (None, (Path("a.jsonl"), Path("b.jsonl")))]


@pytest.mark.parametrize("flag", ["force", "allow_loss", "compare_all"])
def test_what_the_launchpad_allows_the_run_may_do(tmp_path, flag):
    for config in ({"home": str(tmp_path)}, {"home": str(tmp_path), flag: True}):
        with dg.build_resources({"run_context": RunContextResource(**config)}) as resources:
            assert getattr(resources.run_context, flag) is (flag in config)


def test_a_run_of_dropped_files_moves_them_once_it_has_published(copy_home, monkeypatch):
    monkeypatch.setenv("STOCKROOM_RAW", "a-folder")
    monkeypatch.setenv("STOCKROOM_AUTOMATION__SETTLE_S", "0")
    home = open_home(load_settings(copy_home()))
    home.incoming.mkdir()
    good, bad = home.incoming / "good.jsonl", home.incoming / "bad.jsonl"
    good.write_text('{"op": "delete", "product_locale": "us", "product_id": "N0"}\n')
    bad.write_text("no delta\n")
    config = {"home": str(home.root), "incoming": True}
    with dg.build_resources({"run_context": RunContextResource(**config)}) as resources:  # a run that fails
        assert (resources.run_context.raw, resources.run_context.deltas) == (None, (good,))
        assert not bad.exists()
    assert good.exists()
    with dg.build_resources({"run_context": RunContextResource(**config)}) as resources:
        apply_deltas(home.lake, check_deltas(resources.run_context.deltas))
        home.journal.append("run", "releases.live", {})
        checkpoints.create(home.lake, "run", datetime.now(UTC))
    assert not good.exists()
    assert (home.incoming / "done" / "good.jsonl").exists()


def test_a_run_that_holds_the_live_model_wants_one(tmp_path):
    config = {"home": str(tmp_path), "pin_live_model": True}
    with (
        pytest.raises(dg.DagsterResourceFunctionError) as failed,
        dg.build_resources({"run_context": RunContextResource(**config)}),
    ):
        pass
    assert "no model is live" in str(failed.value.__cause__)


@pytest.mark.parametrize("by", ["configuration", "environment"])
def test_a_run_has_its_configured_home_and_the_lock(tmp_path, monkeypatch, by):
    (tmp_path / "stockroom.toml").write_text("[training]\nepochs = 5\n")
    home = Home(tmp_path, WarehouseSettings(lock_timeout_s=0.1))
    if by == "environment":
        monkeypatch.setenv("STOCKROOM_HOME", str(tmp_path))

    @dg.op(required_resource_keys={"run_context"}, out={})
    def look(context):
        run_context = context.resources.run_context
        contexts.append((run_context.home.root, run_context.training.epochs, _is_locked(home)))
        run_context.progress("counting", 3)(1)

    @dg.job(resource_defs={"run_context": RunContextResource()})
    def looking():
        look()

    contexts: list[tuple] = []
    config = {"resources": {"run_context": {"config": {"home": str(tmp_path)}}}} if by == "configuration" else {}
    with dg.DagsterInstance.ephemeral() as instance:
        assert looking.execute_in_process(run_config=config, instance=instance).success
    assert contexts == [(tmp_path, 5, True)]
    assert not _is_locked(home)
