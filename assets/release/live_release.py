"""The release that searches answer from. `assets/release/publishing.py` decides which release is published.

`warehouse/serving/release_log.py` appends the row that makes it live.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from assets import run_end
from assets.core.steps import asset
from assets.core.table_asset import first_rows, outside_schema, result
from assets.evaluation.champion_challenger import current_gate_result, winner
from assets.keys import asset_key
from assets.release.publishing import publish, stay
from assets.release.readiness import unfinished
from assets.release.release_checks import CHECKS
from assets.run_context import RunContext
from warehouse.history import checkpoints
from warehouse.serving.release_log import Release

_PREVIEW_COLUMNS = ("release", "published_at", "kind", "model_id", "vector_version", "snapshot", "note")


@asset(
    key=asset_key("releases.live"),
    deps=[
        asset_key(name)
        for name in (
            "vectors.products",
            "vectors.texts",
            "model.ranker",
            "evaluation.metrics",
            "evaluation.gate",
            "model.two_tower",
            "registry.features",
            "monitoring.drift",
            "registry.lineage",
            "features.pairs",
            "staging.search_rules",
            "quarantine.rows",
            "training.point_in_time",
        )
    ],
    group_name="releases",
    kinds={"lancedb"},
    metadata=outside_schema(
        {
            "release": ("int64", "number from 1 on, without gaps; the highest is live"),
            "published_at": ("timestamp", "when it was published, UTC"),
            "kind": ("string", "model, catalog (other products under the same model) or rollback"),
            "model_id": ("string", "the model whose query tower answers"),
            "encoder_fingerprint": ("string", "the text encoder that the model stands on"),
            "vector_table": ("string", "the table with the product vectors"),
            "vector_version": ("int64", "that table's version"),
            "snapshot": ("int64", "the lake's snapshot that the vectors were made from"),
            "metrics": ("string", "metrics measured before publishing, as JSON"),
            "note": ("string", "why, in a person's words"),
            "ranker_id": (
                "string",
                "the ranker that orders the candidates; empty: searches order by the vectors alone",
            ),
            "text_version": ("int64", "the text index's version"),
            "rules": ("int64", "number of search rules in the snapshot"),
        }
    ),
    description="The model, the version of its vectors and the lake's snapshot that searches answer with.",
    check_specs=[check.spec for check in CHECKS],
)
def releases_live(context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]) -> dg.MaterializeResult:
    """Publish the lake's state and create a checkpoint of it; write nothing if searchers would see no difference.

    The live release stays if a table lags behind its sources or was not checked; a run of the whole job continues from there.
    """
    home, now = run_context.home, datetime.now(UTC)
    gate_result = current_gate_result(run_context)
    (model_id, ranker_id), snapshot = winner(run_context, gate_result), checkpoints.content_snapshot(home.lake)
    obstacle = unfinished(run_context, model_id)
    if obstacle:
        published = stay(run_context, obstacle)
        context.log.warning(published.facts["warning"])
    else:
        published = publish(run_context, model_id, ranker_id, gate_result, snapshot, now)
        run_end.at_end(run_context, partial(checkpoints.create, home.lake, context.run.run_id, now, snapshot))
    release, checks = published.release, [check(run_context) for check in CHECKS]
    metadata = {"kind": release.kind, "as_of": published.as_of.isoformat(), **_preview(home.releases.all())}
    version = f"release-{release.release}"
    return result(context, run_context, "releases.live", version, metadata, published.facts, checks)


def _preview(releases: Sequence[Release]) -> dict[str, Any]:
    """Return the row count and the newest releases as metadata."""
    rows = [[getattr(each, name) for name in _PREVIEW_COLUMNS] for each in releases[::-1][:5]]
    return {"dagster/row_count": len(releases), **first_rows(_PREVIEW_COLUMNS, rows)}
