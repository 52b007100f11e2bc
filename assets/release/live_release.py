"""The release: what searchers see, made live by one appended row."""

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from assets import run_end
from assets.core.table_asset import first_rows, outside_schema, result
from assets.keys import asset_key
from assets.release.evaluation import summary
from assets.release.promotion_gate import current_gate_result, shown, winner
from assets.release.readiness import unfinished
from assets.run_context import RunContext
from assets.services.serving_model import ServingModel, unservable_reason
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.features import datasets, point_in_time
from warehouse.history import checkpoints
from warehouse.lake import change_feed
from warehouse.operations import consistency, rollback
from warehouse.serving.release_log import Publication, Release

_SHOWN = ("release", "published_at", "kind", "model_id", "vector_version", "snapshot", "note")


@dg.asset(
    key=asset_key("releases.live"),
    deps=[
        asset_key(name)
        for name in (
            "vectors.products",
            "evaluation.metrics",
            "evaluation.gate",
            "model.two_tower",
            "registry.features",
            "monitoring.drift",
            "registry.lineage",
            "features.pairs",
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
            "metrics": ("string", "what was measured before publishing, as JSON"),
            "note": ("string", "why, in a person's words"),
        }
    ),
    description="The model, the version of its vectors and the lake's snapshot that searches answer with.",
)
def releases_live(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> dg.MaterializeResult[Any]:
    """Publish the lake's state, and mark it as an as-of point; write nothing if searchers would see no difference.

    A new model goes live if the gate lets it through. Else the live release stays as it is, unless the catalog or its
    time-series features changed: then the live model goes on with those. A rollback stays until something changed since. Where a
    table has not followed its sources, or was not checked, the live release stays: a run of the whole job goes on from there.
    """
    home, now = run_context.home, datetime.now(UTC)
    gate_result, live = current_gate_result(run_context), home.releases.live()
    told = shown(gate_result) if gate_result else None
    model_id = winner(run_context, gate_result)
    snapshot = checkpoints.content_snapshot(home.lake)
    why = unfinished(run_context, model_id)
    if why:
        return _stay(context, run_context, why)
    if live is not None:
        home.online.restore(home.lake, live.snapshot, ())
    online = home.online.write(home.lake, snapshot)  # before a release that names the snapshot is there
    with home.lake.reading() as connection:
        as_of = point_in_time.as_of(connection, home.settings)
    held = None if run_context.force else rollback.held(home, model_id)
    is_refused = live is not None and told is not None and model_id == live.model_id
    if live is not None and (held or (is_refused and _is_current(run_context, live))):
        release, is_new = live, False
    else:
        is_same_model = live is not None and live.model_id == model_id
        gate = json.loads(live.metrics).get("gate") if live is not None and is_same_model else told
        measured = summary(datasets.metrics(home.lake, model_id))
        published = _publish(
            ServingModel.of(run_context, model_id),
            kind="catalog" if is_same_model else "model",
            snapshot=snapshot,
            published_at=now,
            metrics=json.dumps({"as_of": as_of.isoformat(), **measured, "gate": gate}),
            note=f"forced: {gate['reason']}" if gate and gate["decision"] == "forced" and not is_same_model else "",
        )
        release, is_new = published.release, published.is_new
    run_end.at_end(run_context, partial(checkpoints.mark, home.lake, context.run.run_id, now, snapshot))
    facts = {"release": release.release, "is_new": is_new, "snapshot": release.snapshot, "model": release.model_id}
    facts |= {"online_upserted": online.upserted, "online_deleted": online.deleted}
    newest = home.releases.all()[::-1]
    rows = first_rows(_SHOWN, [[getattr(each, name) for name in _SHOWN] for each in newest[:5]])
    metadata = {"dagster/row_count": len(newest), "kind": release.kind, "as_of": as_of.isoformat(), **rows}
    if told:
        facts["gate"] = told
    if held:
        facts["warning"] = held
    return result(context, run_context, "releases.live", f"release-{release.release}", metadata, facts)


def _stay(context: dg.AssetExecutionContext, run_context: RunContext, why: str) -> dg.MaterializeResult[Any]:
    """Report that the live release stays.

    Raises:
        WarehouseError: There is none.
    """
    live = run_context.home.releases.live()
    if live is None:
        raise WarehouseError(f"nothing can be published yet: {why}", "run the whole: stockroom build")
    warning = f"release {live.release} stays: {why}; run the whole: stockroom build, or the job apply"
    context.log.warning(warning)
    facts = {"release": live.release, "is_new": False, "snapshot": live.snapshot, "model": live.model_id}
    facts |= {"online_upserted": 0, "online_deleted": 0, "warning": warning}
    return result(context, run_context, "releases.live", f"release-{live.release}", {"kind": live.kind}, facts)


def _is_current(run_context: RunContext, live: Release) -> bool:
    """Tell whether a live release that stays shows searchers what they would see of the lake as it now is.

    It is so too where its model cannot be applied any more: then nothing else can be shown under it.
    """
    home = run_context.home
    if unservable_reason(run_context, live.model_id):
        return True
    table = ServingModel.of(run_context, live.model_id).vector_table
    with home.lake.reading(live.snapshot) as then, home.lake.reading() as now:
        same_features = point_in_time.fingerprints(then) == point_in_time.fingerprints(now)
    return same_features and (live.vector_table, live.vector_version) == (table, home.vectors.version(table))


def key_differences(
    run_context: RunContext, vector_table: str, version: int, snapshot: int, among: pl.DataFrame | None = None
) -> tuple[int, int]:
    """Count the products of a snapshot without a vector in a version of a table, and the vectors without a product.

    Neither the version nor the snapshot ever changes: they are compared once in a run, by the keys `among` a frame where
    all others were compared before.
    """
    return run_context.cached(
        f"key differences {vector_table} {version} {snapshot}",
        lambda: consistency.catalog_differences(run_context.home, vector_table, version, snapshot, among),
    )


def _publish(model: ServingModel, *, snapshot: int, **told: Any) -> Publication:
    """Publish the newest version of the model's vectors, once they are those of the snapshot's catalog.

    Raises:
        WarehouseError: A product has no vector, or a vector no product.
    """
    home, version = model.run_context.home, model.run_context.home.vectors.version(model.vector_table)
    live, among = home.releases.live(), None
    if live and live.vector_table == model.vector_table:
        with home.lake.reading() as connection:
            among = change_feed.changed_keys(connection, [CONTRACTS["features.products"]], live.snapshot)
    missing, extra = key_differences(model.run_context, model.vector_table, version, snapshot, among)
    if missing or extra:
        raise WarehouseError(
            f"the vectors are not those of the catalog: {missing:,} products without a vector, {extra:,} vectors "
            "without a product",
            "nothing was published; build again",
        )
    return home.releases.publish(
        model_id=model.model_id,
        encoder_fingerprint=model.texts.fingerprint,
        vector_table=model.vector_table,
        vector_version=version,
        snapshot=snapshot,
        **told,
    )
