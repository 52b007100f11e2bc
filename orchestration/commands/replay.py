"""Replay: recomputes the lake and the live model's vectors from the archived input files, and corrects differences."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assets.run_context import RunContext
from orchestration.instance.locks import run_lock
from warehouse.ingest.feature_view_files import check_files
from warehouse.ingest.full_snapshot import require_raw
from warehouse.lake.sync_tables import sync
from warehouse.operations.replay import replay as replay_into
from warehouse.operations.scratch_home import copy_feature_views, scratch_home

if TYPE_CHECKING:
    from orchestration.commands.build import BuildReport


@dataclass(frozen=True)
class ReplayReport:
    """Report the replayed files, the differences from the lake, and the run that followed.

    `files` names the last full file of each table. `deltas` counts the replayed deltas, and `superseded` those that a full
    file had replaced. `differing` maps each table that differed to its rows inserted, updated and deleted; `vectors` counts
    the vectors written and deleted.
    """

    files: dict[str, str]
    deltas: int
    superseded: int
    differing: dict[str, dict[str, int]]
    vectors: dict[str, int]
    run: "BuildReport"

    @property
    def agrees(self) -> bool:
        """Tell whether the replay gave the same tables and vectors."""
        return not (self.differing or any(self.vectors.values()))


def replay(run_context: RunContext) -> ReplayReport:
    """Replay the input files under the live model, and correct lake and vectors by the result.

    Raw and derived tables are made in a scratch lake. One transaction then applies the differences, every vector is made
    again from the cached texts, and a release is published if anything differed. If killed before that transaction, a
    replay leaves nothing behind; if killed after it, any later run completes the work.

    Raises:
        WarehouseError: A file is no longer archived or its copy is damaged, or there is no live model: nothing was
            written. Or a blocking check failed: nothing that depends on its table was made.
    """
    home = run_context.home
    require_raw(home.lake)
    with run_lock(home):
        from assets.services.live_model import pin_live_model
        from orchestration.commands.build import run_job
        from orchestration.defs.apply_job import APPLY
        from orchestration.runs.derive import derive

        live_model_context = pin_live_model(replace(run_context, raw=None, sources=(), deltas=(), reembed_all=True))
        check_files(home.lake, home.root, home.feature_views, datetime.now(UTC))
        with scratch_home(home, home.feature_views) as scratch:
            inputs = replay_into(home, scratch)
            copy_feature_views(home, scratch)
            derive(replace(live_model_context, home=scratch), "derived_tables")
            changes = sync(home.lake, scratch.lake)
        report = run_job(live_model_context, APPLY)
        vectors = home.journal.run(report.run_id)["vectors.products"]
    return ReplayReport(
        files={file.table: file.name for file in inputs.snapshots},
        deltas=sum(not delta.superseded for delta in inputs.deltas),
        superseded=sum(delta.superseded for delta in inputs.deltas),
        differing={table: counts._asdict() for table, counts in changes.items()},
        vectors={name: int(vectors[name]) for name in ("upserted", "deleted")},
        run=report,
    )
