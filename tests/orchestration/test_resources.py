"""The resource that opens the home for runs that the UI starts."""

import dagster as dg
import pytest

from orchestration.resources import workspace_resource
from orchestration.run_lock import run_lock
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.settings import WarehouseSettings


def _held(home: Home) -> bool:
    try:
        with run_lock(home):
            return False
    except WarehouseError:
        return True


@pytest.mark.parametrize("by", ["configuration", "environment"])
def test_a_run_has_the_home_it_is_told_and_holds_its_lock(tmp_path, monkeypatch, by):
    (tmp_path / "stockroom.toml").write_text("[training]\nepochs = 5\n")
    home = Home(tmp_path, WarehouseSettings(lock_timeout_s=0.1))
    if by == "environment":
        monkeypatch.setenv("STOCKROOM_HOME", str(tmp_path))

    @dg.op(required_resource_keys={"workspace"}, out={})
    def look(context):
        workspace = context.resources.workspace
        seen.append((workspace.home.root, workspace.training.epochs, _held(home)))
        workspace.progress("counting", 3)(1)

    @dg.job(resource_defs={"workspace": workspace_resource})
    def looking():
        look()

    seen: list[tuple] = []
    config = {"resources": {"workspace": {"config": {"home": str(tmp_path)}}}} if by == "configuration" else {}
    with dg.instance_for_test() as instance:
        assert looking.execute_in_process(run_config=config, instance=instance).success
    assert seen == [(tmp_path, 5, True)]
    assert not _held(home)
