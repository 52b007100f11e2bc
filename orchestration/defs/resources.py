"""Resources: adapters that hand plain objects to the assets."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg

from assets import run_end
from assets.run_context import RunContext
from assets.services.serving_model import pin_live_model
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.instance.locks import run_lock
from warehouse.operations.inbox import Sorting, sort_incoming

_LOG_EVERY_S = 5.0


@dg.resource(
    description="The home and the settings of this run; holds the home's run lock, so that runs come one after another.",
    config_schema={
        "home": dg.Field(str, default_value="", description="Directory of the home; empty: STOCKROOM_HOME."),
        "deltas": dg.Field([str], default_value=[], description="Delta files to apply, in this order."),
        "incoming": dg.Field(
            bool,
            default_value=False,
            description="Bring in the files of incoming/ that are whole, and put them where they belong afterwards.",
        ),
        "pin_live_model": dg.Field(bool, default_value=False, description="Go on with the live model: train none."),
        "force": dg.Field(bool, default_value=False, description="Publish a new model even if the gate refuses it."),
        "allow_loss": dg.Field(
            bool,
            default_value=False,
            description="Let files take more rows out of the catalog than the setting warehouse.max_loss_share.",
        ),
    },
)
@contextmanager
def run_context_resource(context: dg.InitResourceContext) -> Iterator[RunContext]:
    """Yield the run context while holding the run lock."""
    config = context.resource_config
    log = context.log or dg.get_dagster_logger()
    settings = load_settings(Path(config["home"]) if config["home"] else None)
    deltas = tuple(Path(file) for file in config["deltas"])
    run_context = replace(
        open_run_context(settings), show_progress=_progress_of(log), force=config["force"], deltas=deltas
    )
    run_context = replace(run_context, allow_loss=config["allow_loss"])
    if deltas or config["incoming"]:
        run_context = replace(
            run_context, raw=None
        )  # as `stockroom apply`: a setting must not bring a full snapshot in too
    run_context.home.lake.is_to_be_written = True
    with run_lock(run_context.home):
        if config["pin_live_model"]:
            run_context = pin_live_model(run_context)
        if not config["incoming"]:
            with run_end.written_down(run_context):
                yield run_context
            return
        dropped = _sort_and_log(run_context, settings.automation.settle_s, log)
        with run_end.written_down(run_context):
            yield replace(run_context, deltas=(*deltas, *(file.path for file in dropped.batch)))
        _sort_and_log(run_context, settings.automation.settle_s, log)  # the run has published: its files go to done/


def _sort_and_log(run_context: RunContext, settle_s: float, log: logging.Logger) -> Sorting:
    """Move the files of incoming/ where they belong and log each move; the result names the files to bring in."""
    sorting = sort_incoming(run_context.home, settle_s)
    for name in sorting.done:
        log.info(f"incoming/{name} is in and published: it went to incoming/done/")
    for name, reason in sorting.failed.items():
        log.warning(f"incoming/{name} went to incoming/failed/: {'; '.join(map(str.strip, reason.splitlines()))}")
    return sorting


def _progress_of(log: logging.Logger) -> Callable[[str, int | None], Callable[[int], None]]:
    """Return a function that logs the progress of long tasks, every few seconds."""

    def announce(task: str, total: int | None) -> Callable[[int], None]:
        logged_at = time.monotonic()

        def log_progress(count: int) -> None:
            nonlocal logged_at
            if time.monotonic() - logged_at > _LOG_EVERY_S:
                logged_at = time.monotonic()
                log.info(f"{task}: {count}" + (f" of {total}" if total else ""))

        return log_progress

    return announce
