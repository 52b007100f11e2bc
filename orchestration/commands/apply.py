"""The applier: delta files brought in and carried on to a release, under the live model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.run_context import RunContext
from assets.services.text_vectors import TextVectors
from orchestration.instance.locks import in_progress, run_lock, was_killed
from warehouse.history.checkpoints import content_snapshot, points
from warehouse.home import Home
from warehouse.ingest.delta_files import DeltaFile, check_deltas
from warehouse.ingest.deltas import arrivals, passed_over
from warehouse.ingest.full_snapshot import require_raw
from warehouse.ingest.time_series_files import check_files
from warehouse.lake.incremental import lagging
from warehouse.lake.watermarks import Progress
from warehouse.operations.replay import keep

if TYPE_CHECKING:
    from orchestration.commands.build import BuildReport


@dataclass(frozen=True)
class ApplyReport:
    """Tell what each delta file did, and what the run made of it; `run` is None where there was nothing to do.

    `files` holds for each file the columns of raw.deltas, with `is_new`, false for one that came in before, and `rules`, how
    many times each rule was broken.
    """

    files: list[dict[str, Any]]
    changed: bool
    snapshot: int
    release: int
    run: "BuildReport | None"


def apply(run_context: RunContext, files: Sequence[Path], *, retrain: bool = False) -> ApplyReport:
    """Bring delta files in, in the order given, and reindex what they changed.

    The live model is held unless `retrain` asks for a new one. Where every file came in before and the run that brought
    in the last change came to its end, nothing is run.

    Raises:
        WarehouseError: A file is half-written or no delta, there is nothing that a delta could change, or no live model
            to go on with: nothing was written. Or a blocking check failed: nothing that depends on its table was made.
    """
    checked = check_deltas(files)
    home = run_context.home
    home.lake.is_to_be_written = True
    require_raw(home.lake)
    with run_lock(home):
        known = _known(home, checked)
        live = home.releases.live()
        if not retrain and live is not None and known is not None and _is_finished(home):
            keep(home, checked)  # a file of before files were kept is kept from now on
            if was_killed(home):
                _fail_orphaned(home)
            return ApplyReport(
                known, changed=False, snapshot=content_snapshot(home.lake), release=live.release, run=None
            )
        run_context = replace(run_context, raw=None, deltas=tuple(files), shared={})
        if live is not None:
            TextVectors(run_context, live.encoder_fingerprint).open_ahead()
        from assets.services.serving_model import pin_live_model  # Dagster comes with them, which takes seconds
        from orchestration.commands.build import run_job

        if not retrain:
            run_context = pin_live_model(run_context)
        check_files(home.lake, home.root, home.feature_views, datetime.now(UTC))
        report = run_job(run_context, "build" if retrain else "apply")
        told = home.journal.run(report.run_id)["raw.deltas"]["files"]
        return ApplyReport(told, report.changed, report.snapshot, report.release, report)


def _fail_orphaned(home: Home) -> None:
    """Mark a run as failed that was killed once it had published: nothing is left to do for it but that."""
    from orchestration.instance.dagster_instance import fail_orphaned_runs, open_instance

    with in_progress(home), open_instance(home) as instance:
        fail_orphaned_runs(instance)


def _known(home: Home, files: Sequence[DeltaFile]) -> list[dict[str, Any]] | None:
    """Return what is told of the files if every one of them came in before."""
    arrived = arrivals(home.lake)
    if any(file.identity not in arrived for file in files):
        return None
    return [asdict(passed_over(file, arrived[file.identity])) for file in files]


def _is_finished(home: Home) -> bool:
    """Tell whether a run ended with the lake as it is, and every table follows from it: else there is something to go on with."""
    known = points(home.lake)
    if not known or known[-1].snapshot != content_snapshot(home.lake):
        return False
    with home.lake.reading() as connection:
        return not lagging(Progress.read(connection), home.derivations, home.settings)
