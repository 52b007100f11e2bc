"""The build: runs the whole Dagster job in this process, records it for the UI, and reports the result."""

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assets.evaluation.evaluation_tables import summary
from assets.evaluation.judged_queries import judged_queries
from assets.evaluation.unknown_tokens import unknown_shares
from assets.run_context import RunContext
from assets.services.raw_folder import raw_folder
from models.evaluation.promotion_gate import PUBLISHED
from orchestration.defs.jobs import BUILD
from orchestration.instance.dagster_instance import (
    CODE_LOCATION,
    COMMAND_LINE,
    fail_orphaned,
    fail_orphaned_runs,
    open_instance,
)
from orchestration.instance.locks import in_progress, run_lock, was_killed
from orchestration.runs import last_build
from orchestration.runs.execute import execute
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.history.checkpoints import content_snapshot
from warehouse.home import Home
from warehouse.ingest.feature_view_files import check_files
from warehouse.ingest.full_snapshot import require_raw
from warehouse.ingest.sources import input_files
from warehouse.lake import catalog, quarantine
from warehouse.serving.release_log import Release


@dataclass(frozen=True)
class State:
    """Hold the state of a home that searchers and SQL see at one moment."""

    snapshot: int
    release: Release | None


@dataclass(frozen=True)
class BuildReport:
    """Report a build: rows, refusals, warnings, encoded texts, relevance, seconds by stage, and the new release and vectors.

    `gate` is the gate result for the new model, a row of evaluation.gate; None if the live model is the newest one. `judged`
    counts the judged queries, and those that are needed. `known_items` are the rows of evaluation.known_items.
    `pair_coverage` is the share of the judged pairs that see an event, by time-series table; `unknown_tokens` the share of
    tokens in titles that the encoder does not know, by locale, 0 to 1: empty in the report of an apply.
    """

    run_id: str
    changed: bool
    rows: dict[str, int]
    quarantined: list[dict[str, Any]]
    warnings: list[str]
    cleaned: dict[str, int]
    texts_encoded: int
    snapshot: int
    new_snapshot: bool
    vector_version: int
    new_vectors: bool
    model: str
    release: int
    new_release: bool
    gate: dict[str, Any] | None
    relevance: dict[str, Any]
    judged: dict[str, Any]
    known_items: list[dict[str, Any]]
    pair_coverage: dict[str, float]
    unknown_tokens: dict[str, float]
    seconds: dict[str, float] = field(default_factory=dict)


def build(run_context: RunContext, raw: Path | None = None) -> BuildReport:
    """Run every asset once, one after another, and report. A build of what the last one was made from does nothing.

    Raises:
        WarehouseError: The raw folder cannot be read, or the lake has no raw tables to start from: nothing was written. Or a
            blocking check failed: nothing that depends on its table was made.
    """
    run_context = replace(run_context, shared={})
    home = run_context.home
    home.lake.is_to_be_written = True
    run_context = replace(run_context, raw=raw or run_context.raw)
    folder = raw_folder(run_context)  # reads declared sources, so that their faults are told before a run starts
    if folder is None:
        require_raw(home.lake)
    files = None if folder is None else input_files(folder)
    check_files(home.lake, home.root, home.feature_views, datetime.now(UTC))
    may_skip = not (run_context.compares_whole or run_context.reembed_all or run_context.force)
    with run_lock(home):
        if files is None:
            return run_job(run_context, BUILD)
        inputs = last_build.inputs_of(run_context, files)
        if may_skip and (same := last_build.report_of_same(home, inputs, files)):
            if was_killed(home):
                fail_orphaned(home)
            return _unchanged(BuildReport(**same))
        report = run_job(run_context, BUILD)
        last_build.record(home, inputs, asdict(report))
        return report


def _unchanged(last: BuildReport) -> BuildReport:
    """Return the report of a build that had nothing to do, from that of the last one."""
    is_live = last.gate is None or last.gate["decision"] in PUBLISHED
    return replace(
        last,
        changed=False,
        cleaned=dict.fromkeys(last.cleaned, 0),
        texts_encoded=0,
        new_snapshot=False,
        new_vectors=False,
        new_release=False,
        gate=None if is_live else last.gate,
        seconds={},
    )


def run_job(run_context: RunContext, name: str) -> BuildReport:
    """Run the assets of a job once in this process and report. The caller holds the run lock.

    Raises:
        WarehouseError: As `build`.
    """
    run_context = replace(run_context, seconds={})
    with in_progress(run_context.home), open_instance(run_context.home) as instance:
        fail_orphaned_runs(instance)
        before = _state(run_context.home)
        run_id = execute(run_context, name, instance, COMMAND_LINE | CODE_LOCATION)
        seconds = run_context.seconds or {
            step.step_key.replace("__", "."): round(step.end_time - step.start_time, 3)
            for step in instance.get_run_step_stats(run_id)
            if step.start_time is not None and step.end_time is not None
        }
        return _report(run_context, run_id, before, seconds)


def _report(run_context: RunContext, run_id: str, before: State, seconds: dict[str, float]) -> BuildReport:
    home = run_context.home
    after, facts = _state(home), home.journal.run(run_id)
    release = after.release
    if release is None:
        raise WarehouseError(f"run {run_id[:8]} ended and published no release", "run again: stockroom build")
    same_vectors = before.release is not None and _vectors(before.release) == _vectors(release)
    metrics = datasets.metrics(home.lake, release.model_id)
    with home.lake.reading() as connection:
        rows = catalog.row_counts(connection)
        quarantine_counts = quarantine.counts(connection).to_dicts()
    return BuildReport(
        run_id=run_id,
        changed=before != after,
        rows=rows,
        quarantined=quarantine_counts,
        warnings=[fact["warning"] for fact in facts.values() if "warning" in fact],
        cleaned={asset: fact["cleaned"] for asset, fact in facts.items() if "cleaned" in fact},
        texts_encoded=facts["embeddings.texts"]["texts_encoded"],
        snapshot=after.snapshot,
        new_snapshot=before.snapshot != after.snapshot,
        vector_version=release.vector_version,
        new_vectors=not same_vectors,
        model=release.model_id,
        release=release.release,
        new_release=before.release != release,
        gate=facts["releases.live"].get("gate"),
        relevance=summary(metrics),
        judged=judged_queries(home, run_context.training, run_context.release),
        known_items=datasets.known_items(home.lake, release.model_id).drop("inputs").to_dicts(),
        pair_coverage=facts.get("training.point_in_time", {}).get("pair_coverage", {}),
        unknown_tokens={} if run_context.pinned_model else unknown_shares(home, release.encoder_fingerprint),
        seconds=seconds,
    )


def _vectors(release: Release) -> tuple[str, int]:
    return release.vector_table, release.vector_version


def _state(home: Home) -> State:
    return State(content_snapshot(home.lake), home.releases.live())
