"""Resources: adapters that hand plain objects to the assets."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
from pydantic import Field

from assets import run_end
from assets.run_context import RunContext
from assets.services.live_model import pin_live_model
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.instance.locks import run_lock
from warehouse.operations.inbox import Sorting, sort_incoming

_LOG_EVERY_S = 5.0


class RunContextResource(dg.ConfigurableResource[RunContext]):
    """Open the home with the settings of this run, and hold its run lock, so that runs come one after another."""

    home: str = Field(default="", description="Directory of the home; empty: STOCKROOM_HOME.")
    raw: str = Field(
        default="", description="Folder of the files to ingest; empty: STOCKROOM_RAW, else the lake as it is."
    )
    deltas: list[str] = Field(default=[], description="Delta files to apply, in this order.")
    incoming: bool = Field(
        default=False,
        description="Apply the complete files of incoming/, and move each file to done/ or failed/ afterwards.",
    )
    pin_live_model: bool = Field(default=False, description="Go on with the live model: train none.")
    force: bool = Field(default=False, description="Publish a new model even if the gate refuses it.")
    allow_loss: bool = Field(
        default=False,
        description="Let files take more rows out of the catalog than the setting warehouse.max_loss_share.",
    )

    compare_all: bool = Field(
        default=False,
        description="Compare every table row by row, whatever changed: repairs what was changed by hand.",
    )

    def create_resource(self, context: dg.InitResourceContext) -> RunContext:
        """Return the run context of these fields; the run lock is not held yet."""
        settings = load_settings(Path(self.home) if self.home else None)
        run_context = replace(
            open_run_context(settings),
            show_progress=progress_of(_log(context)),
            force=self.force,
            allow_loss=self.allow_loss,
            compare_all=self.compare_all,
            raw=Path(self.raw) if self.raw else settings.raw,
            deltas=tuple(map(Path, self.deltas)),
        )
        if self.deltas or self.incoming:  # as `stockroom apply`: a setting must not ingest a full snapshot too
            run_context = replace(run_context, raw=None, sources=())
        run_context.home.lake.is_to_be_written = True
        return run_context

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[RunContext]:
        """Yield the run context while the run lock is held, and make the writes of the run's end."""
        run_context, log = self.create_resource(context), _log(context)
        with run_lock(run_context.home):
            if self.pin_live_model:
                run_context = pin_live_model(run_context)
            if not self.incoming:
                with run_end.written_down(run_context):
                    yield run_context
                return
            settle_s = load_settings(run_context.home.root).automation.settle_s
            dropped = _sort_and_log(run_context, settle_s, log)
            with run_end.written_down(run_context):
                deltas = (*run_context.deltas, *(file.path for file in dropped.batch))
                yield replace(run_context, deltas=deltas)
            _sort_and_log(run_context, settle_s, log)  # the run has published: its files go to done/


def _log(context: dg.InitResourceContext) -> logging.Logger:
    return context.log or dg.get_dagster_logger()


def _sort_and_log(run_context: RunContext, settle_s: float, log: logging.Logger) -> Sorting:
    """Move the files of incoming/ where they belong and log each move; the result names the files to apply."""
    sorting = sort_incoming(run_context.home, settle_s)
    for name in sorting.done:
        log.info(f"incoming/{name} is in and published: it went to incoming/done/")
    for name, reason in sorting.failed.items():
        log.warning(f"incoming/{name} went to incoming/failed/: {'; '.join(map(str.strip, reason.splitlines()))}")
    return sorting


def progress_of(log: logging.Logger) -> Callable[[str, int | None], Callable[[int], None]]:
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
