"""Apply: writes the changes of delta files to the lake and publishes a release, under the live model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.run_context import RunContext
from assets.services.text_vectors import TextVectors
from orchestration.instance.locks import run_lock, was_killed
from warehouse.declaration.attributes import TABLE as ATTRIBUTES_TABLE
from warehouse.history.checkpoints import content_snapshot, list_checkpoints
from warehouse.home import Home
from warehouse.ingest.delta_files import DeltaFile, check_deltas
from warehouse.ingest.deltas import already_applied, applied_files
from warehouse.ingest.feature_view_files import check_files
from warehouse.ingest.full_snapshot import require_raw
from warehouse.ingest.rules_file import check_rules_file, is_ingested, split_files
from warehouse.lake import quarantine
from warehouse.lake.incremental import lagging
from warehouse.lake.watermarks import Progress
from warehouse.operations.reindexing import outside
from warehouse.operations.replay import archive_files
from warehouse.sources.prepared import decimal_signs

if TYPE_CHECKING:
    from orchestration.commands.build import BuildReport

_CHANGES = ("inserted", "updated", "deleted")


@dataclass(frozen=True)
class ApplyReport:
    """Report the effect of each delta file, and the run that followed; `run` is None if there was nothing to do.

    `files` holds for each file the columns of raw.deltas, `is_new` (false for a file that was applied before) and `rules`
    (each violated rule with its number of violations). `quarantined` holds the rows that the run put into quarantine, by
    table and rule: those of the files, and others such as judgements whose product a file deleted. `search_rules` counts the
    changes of raw.search_rules by a file of search rules; None without such a file. `attributes` counts the products whose
    declared attributes changed, also of rows that `files` count as unchanged; None without attributes. `rows_outside` counts
    the products that an index of the live release lacks; `needs_reindex` tells whether they slow searches down.
    """

    files: list[dict[str, Any]]
    changed: bool
    snapshot: int
    release: int
    run: "BuildReport | None"
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    search_rules: dict[str, Any] | None = None
    attributes: dict[str, int] | None = None
    rows_outside: int = 0
    needs_reindex: bool = False


def apply(run_context: RunContext, files: Sequence[Path], *, retrain: bool = False) -> ApplyReport:
    """Apply delta files in the given order, and reindex the rows that they change; a file of search rules replaces all rules.

    The live model stays unless `retrain` is set. No run starts if every file was applied before and the run of the last
    change is complete.

    Raises:
        WarehouseError: A file is incomplete or not one of these, the lake has no data to change, or there is no live model:
            nothing was written. Or a blocking check failed: nothing that depends on its table was made.
    """
    rules_paths, delta_paths = split_files(files)
    home, rules = run_context.home, [check_rules_file(path) for path in rules_paths]
    delta_files = check_deltas(delta_paths, sources=home.sources, decimal_signs=decimal_signs(home.prepared_sources))
    home.lake.is_to_be_written = True
    require_raw(home.lake)
    with run_lock(home):
        earlier_entries = _earlier_entries(home, delta_files)
        live, known = home.releases.live(), all(is_ingested(home.lake, file) for file in rules)
        if not retrain and live is not None and earlier_entries is not None and known and _is_finished(home):
            archive_files(home, [*rules, *delta_files])  # archive files that were applied before archives existed
            if was_killed(home):
                from orchestration.instance.dagster_instance import fail_orphaned

                fail_orphaned(home)
            return ApplyReport(
                earlier_entries, changed=False, snapshot=content_snapshot(home.lake), release=live.release, run=None
            )
        run_context = replace(run_context, raw=None, sources=(), deltas=tuple(files), shared={})
        if live is not None:
            TextVectors(run_context, live.encoder_fingerprint).open_ahead()
        from assets.services.live_model import pin_live_model
        from orchestration.commands.build import run_job
        from orchestration.defs.apply_job import APPLY
        from orchestration.defs.jobs import BUILD

        if not retrain:
            run_context = pin_live_model(run_context)
        check_files(home.lake, home.root, home.feature_views, datetime.now(UTC))
        before = home.lake.snapshot()
        report = run_job(run_context, BUILD if retrain else APPLY)
        facts = home.journal.run(report.run_id)
        entries, changed_rules = facts["raw.deltas"]["files"], facts["raw.search_rules"] if rules else None
        of_attributes = facts.get(ATTRIBUTES_TABLE)
        refused = quarantine.added(home.lake, before, home.lake.snapshot()).to_dicts()
        lacking = outside(home, run_context.release.max_unindexed_share)
        return ApplyReport(
            entries,
            report.changed,
            report.snapshot,
            report.release,
            report,
            refused,
            changed_rules,
            {name: of_attributes[name] for name in _CHANGES} if of_attributes else None,
            lacking.rows,
            lacking.is_due,
        )


def _earlier_entries(home: Home, files: Sequence[DeltaFile]) -> list[dict[str, Any]] | None:
    """Return the report entries of the files if all of them were applied before, else None."""
    numbers = applied_files(home.lake)
    if any(file.identity not in numbers for file in files):
        return None
    return [asdict(already_applied(file, numbers[file.identity])) for file in files]


def _is_finished(home: Home) -> bool:
    """Tell whether a run ended at the lake's current content and no derived table lags behind."""
    checkpoints = list_checkpoints(home.lake)
    if not checkpoints or checkpoints[-1].snapshot != content_snapshot(home.lake):
        return False
    with home.lake.reading() as connection:
        return not lagging(Progress.read(connection), home.derivations, home.settings)
