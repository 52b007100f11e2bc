"""Replay: the lake and the live model's vectors made again from the files that came in, and held against what is there."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assets.run_context import RunContext
from orchestration.instance.locks import run_lock
from warehouse.ingest.full_snapshot import require_raw
from warehouse.ingest.time_series_files import check_files
from warehouse.lake.sync_tables import sync
from warehouse.operations.replay import replay as replay_into
from warehouse.operations.scratch_home import copy_feature_views, scratch_home

if TYPE_CHECKING:
    from orchestration.commands.build import BuildReport


@dataclass(frozen=True)
class ReplayReport:
    """Tell what was replayed, what of it differed from what was there, and what the run that followed came to.

    `files` names the last full file of each table, `deltas` counts those brought in again and `superseded` those that a
    full file had replaced. `differing` holds, for each table that was not what the replay came to, its rows inserted,
    updated and deleted; `vectors` likewise how many were written and deleted.
    """

    files: dict[str, str]
    deltas: int
    superseded: int
    differing: dict[str, dict[str, int]]
    vectors: dict[str, int]
    run: "BuildReport"

    @property
    def agrees(self) -> bool:
        """Tell whether the replay ended in what was there already."""
        return not (self.differing or any(self.vectors.values()))


def replay(run_context: RunContext) -> ReplayReport:
    """Replay the files that came in under the live model, and bring lake and vectors in line with what comes of it.

    Raw tables and all that follows from them are made in a lake of their own. What differs is then taken over in one
    transaction, every vector is made again from the cached texts, and a release is published if anything differed. Killed
    before that transaction it leaves nothing behind; killed after it, any later run goes on from there.

    Raises:
        WarehouseError: A file is not kept any more or its copy is damaged, or no live model is there to go on with:
            nothing was written. Or a blocking check failed: nothing that depends on its table was made.
    """
    home = run_context.home
    require_raw(home.lake)
    with run_lock(home):
        from assets.services.serving_model import pin_live_model  # Dagster comes with them, which takes seconds
        from orchestration.commands.build import run_job
        from orchestration.runs.derive import derive

        held = pin_live_model(replace(run_context, raw=None, deltas=(), reembed_all=True))
        check_files(home.lake, home.root, home.feature_views, datetime.now(UTC))
        with scratch_home(home, home.feature_views) as scratch:
            done = replay_into(home, scratch)
            copy_feature_views(home, scratch)
            derive(replace(held, home=scratch), "derived_tables")
            changed = sync(home.lake, scratch.lake)
        report = run_job(held, "apply")
        vectors = home.journal.run(report.run_id)["vectors.products"]
    return ReplayReport(
        files={file.table: file.name for file in done.snapshots},
        deltas=sum(not delta.superseded for delta in done.deltas),
        superseded=sum(delta.superseded for delta in done.deltas),
        differing={table: written._asdict() for table, written in changed.items()},
        vectors={name: int(vectors[name]) for name in ("upserted", "deleted")},
        run=report,
    )
