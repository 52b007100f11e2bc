"""Resources: adapters that hand plain objects to the assets."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg

from assets.serving import hold_live_model
from assets.workspace import Workspace
from orchestration.run_lock import run_lock
from orchestration.settings import load_settings
from orchestration.workspace import open_workspace

_LOG_EVERY_S = 5.0


@dg.resource(
    description="The home and the settings of this run; holds the home's run lock, so that runs come one after another.",
    config_schema={
        "home": dg.Field(str, default_value="", description="Directory of the home; empty: STOCKROOM_HOME."),
        "deltas": dg.Field([str], default_value=[], description="Delta files to bring in, in order of arrival."),
        "hold_live_model": dg.Field(bool, default_value=False, description="Go on with the live model: train none."),
        "force": dg.Field(bool, default_value=False, description="Publish a new model even if the gate refuses it."),
        "allow_loss": dg.Field(
            bool,
            default_value=False,
            description="Let files take more rows out of the catalog than the setting warehouse.max_loss_share.",
        ),
    },
)
@contextmanager
def workspace_resource(context: dg.InitResourceContext) -> Iterator[Workspace]:
    """Yield the workspace while holding the run lock."""
    told = context.resource_config
    log = context.log or dg.get_dagster_logger()
    workspace = open_workspace(load_settings(Path(told["home"]) if told["home"] else None))
    deltas = tuple(Path(file) for file in told["deltas"])
    workspace = replace(workspace, show_progress=_progress_of(log), force=told["force"], deltas=deltas)
    workspace = replace(workspace, allow_loss=told["allow_loss"])
    if deltas:
        workspace = replace(
            workspace, raw=None
        )  # as `stockroom apply`: a setting must not bring a full snapshot in too
    workspace.home.lake.is_to_be_written = True
    with run_lock(workspace.home):
        yield hold_live_model(workspace) if told["hold_live_model"] else workspace


def _progress_of(log: logging.Logger) -> Callable[[str, int | None], Callable[[int], None]]:
    """Return what writes the progress of long tasks into the run's log, every few seconds."""

    def announce(task: str, total: int | None) -> Callable[[int], None]:
        told = time.monotonic()

        def tell(done: int) -> None:
            nonlocal told
            if time.monotonic() - told > _LOG_EVERY_S:
                told = time.monotonic()
                log.info(f"{task}: {done}" + (f" of {total}" if total else ""))

        return tell

    return announce
