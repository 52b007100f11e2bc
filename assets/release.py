"""The release: what searchers see, made live by one appended row."""

import json
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets.evaluation import summary
from assets.model import model_name
from assets.tables import asset_key, first_rows, outside_schema, result
from assets.workspace import Workspace
from models.encoder import encoder_fingerprint
from warehouse import dated, frames, snapshots

_SHOWN = ("release", "published_at", "kind", "model_id", "vector_version", "snapshot", "note")


@dg.asset(
    key=asset_key("releases.live"),
    deps=[
        asset_key(name)
        for name in (
            "vectors.products",
            "evaluation.metrics",
            "features.pairs",
            "quarantine.rows",
            "model.two_tower",
            "registry.features",
            "monitoring.drift",
            "registry.lineage",
        )
    ],
    group_name="releases",
    kinds={"lancedb"},
    metadata=outside_schema(
        {
            "release": ("int64", "number from 1 on, without gaps; the highest is live"),
            "published_at": ("timestamp", "when it was published, UTC"),
            "kind": ("string", "model, catalogue (other products under the same model) or rollback"),
            "model_id": ("string", "the model whose query tower answers"),
            "encoder_fingerprint": ("string", "the text encoder that the model stands on"),
            "vector_table": ("string", "the table with the product vectors"),
            "vector_version": ("int64", "that table's version"),
            "snapshot": ("int64", "the lake's snapshot that the vectors were made from"),
            "metrics": ("string", "what was measured before publishing, as JSON"),
            "note": ("string", "why, in a person's words"),
        }
    ),
    description="The model, the version of its vectors and the lake's snapshot that searches answer with.",
)
def releases_live(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """Mark the lake's state as an as-of point and publish; write nothing if searchers would see no difference."""
    home, now = workspace.home, datetime.now(UTC)
    model_id = model_name(workspace)
    with home.lake.reading() as connection:
        as_of = dated.as_of(connection, home.settings)
    measured = {"as_of": as_of.isoformat(), **summary(frames.metrics(home.lake, model_id))}
    snapshot = snapshots.mark(home.lake, context.run.run_id, now)
    online = home.online.write(home.lake, snapshot)  # before the release that names the snapshot is there
    live = home.releases.live()
    published = home.releases.publish(
        kind="catalogue" if live is not None and live.model_id == model_id else "model",
        model_id=model_id,
        encoder_fingerprint=encoder_fingerprint(workspace.encoder),
        vector_version=home.vectors.version(model_id),
        snapshot=snapshot,
        published_at=now,
        metrics=json.dumps(measured),
    )
    release = published.release
    facts = {"release": release.release, "is_new": published.is_new, "snapshot": release.snapshot, "model": model_id}
    facts |= {"online_upserted": online.upserted, "online_deleted": online.deleted}
    newest = home.releases.all()[::-1]
    shown = first_rows(_SHOWN, [[getattr(each, name) for name in _SHOWN] for each in newest[:5]])
    metadata = {"dagster/row_count": len(newest), "kind": release.kind, "as_of": as_of.isoformat(), **shown}
    return result(context, workspace, "releases.live", f"release-{release.release}", metadata, facts)
