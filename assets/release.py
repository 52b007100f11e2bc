"""The release: what searchers see, made live by one appended row."""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets.evaluation import summary
from assets.model import model_name
from assets.tables import asset_key, result
from assets.workspace import Workspace
from models.encoder import encoder_fingerprint
from warehouse import frames, snapshots


@dg.asset(
    key=asset_key("releases.live"),
    deps=[
        asset_key(name)
        for name in ("vectors.products", "evaluation.metrics", "features.pairs", "quarantine.rows", "model.two_tower")
    ],
    group_name="releases",
    kinds={"lancedb"},
    description="The model, the version of its vectors and the lake's snapshot that searches answer with.",
)
def releases_live(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """Mark the lake's state as an as-of point and publish; write nothing if searchers would see no difference."""
    home, now = workspace.home, datetime.now(UTC)
    model_id = model_name(workspace)
    measured = summary(frames.metrics(home.lake, model_id))
    live = home.releases.live()
    published = home.releases.publish(
        kind="catalogue" if live is not None and live.model_id == model_id else "model",
        model_id=model_id,
        encoder_fingerprint=encoder_fingerprint(workspace.encoder),
        vector_version=home.vectors.version(model_id),
        snapshot=snapshots.mark(home.lake, context.run.run_id, now),
        published_at=now,
        metrics=json.dumps(measured),
    )
    release = published.release
    facts = {"release": release.release, "is_new": published.is_new, "snapshot": release.snapshot, "model": model_id}
    return result(context, workspace, "releases.live", f"release-{release.release}", {"kind": release.kind}, facts)
