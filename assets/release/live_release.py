"""The release: what searchers see, made live by one appended row."""

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg

from assets import run_end
from assets.core.table_asset import first_rows, outside_schema, result
from assets.keys import asset_key
from assets.release.evaluation import summary
from assets.release.promotion_gate import current_gate_result, gate_metadata, winner
from assets.release.readiness import unfinished
from assets.release.release_checks import CHECKS, key_differences
from assets.run_context import RunContext
from assets.services.serving_model import ServingModel, unservable_reason
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.features import datasets, point_in_time
from warehouse.history import checkpoints
from warehouse.lake import change_feed
from warehouse.operations import rollback
from warehouse.serving.release_log import Publication, Release

_PREVIEW_COLUMNS = ("release", "published_at", "kind", "model_id", "vector_version", "snapshot", "note")


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
    check_specs=[check.spec for check in CHECKS],
)
def releases_live(context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]) -> dg.MaterializeResult:
    """Publish the lake's state and create a checkpoint of it; write nothing if searchers would see no difference.

    A new model goes live if the gate lets it through. Otherwise the live model stays, and gets a new release if the catalog or
    the time-series features changed. A rollback stays until something changes. The live release also stays if a table lags
    behind its sources or was not checked; a run of the whole job continues from there.
    """
    home, now = run_context.home, datetime.now(UTC)
    gate_result, live = current_gate_result(run_context), home.releases.live()
    gate_facts = gate_metadata(gate_result) if gate_result else None
    model_id = winner(run_context, gate_result)
    snapshot = checkpoints.content_snapshot(home.lake)
    obstacle = unfinished(run_context, model_id)
    if obstacle:
        return _stay(context, run_context, obstacle)
    if live is not None:
        home.online.restore(home.lake, live.snapshot, ())
    online = home.online.write(home.lake, snapshot)  # before a release names the snapshot
    with home.lake.reading() as connection:
        as_of = point_in_time.as_of(connection, home.settings)
    hold_reason = None if run_context.force else rollback.hold_reason(home, model_id)
    is_refused = live is not None and gate_facts is not None and model_id == live.model_id
    if live is not None and (hold_reason or (is_refused and _is_current(run_context, live))):
        release, is_new = live, False
    else:
        is_same_model = live is not None and live.model_id == model_id
        gate = json.loads(live.metrics).get("gate") if live is not None and is_same_model else gate_facts
        metrics_summary = summary(datasets.metrics(home.lake, model_id))
        published = _publish(
            ServingModel.of(run_context, model_id),
            kind="catalog" if is_same_model else "model",
            snapshot=snapshot,
            published_at=now,
            metrics=json.dumps({"as_of": as_of.isoformat(), **metrics_summary, "gate": gate}),
            note=f"forced: {gate['reason']}" if gate and gate["decision"] == "forced" and not is_same_model else "",
        )
        release, is_new = published.release, published.is_new
    run_end.at_end(run_context, partial(checkpoints.create, home.lake, context.run.run_id, now, snapshot))
    facts = {"release": release.release, "is_new": is_new, "snapshot": release.snapshot, "model": release.model_id}
    facts |= {"online_upserted": online.upserted, "online_deleted": online.deleted}
    newest = home.releases.all()[::-1]
    rows = first_rows(_PREVIEW_COLUMNS, [[getattr(each, name) for name in _PREVIEW_COLUMNS] for each in newest[:5]])
    metadata = {"dagster/row_count": len(newest), "kind": release.kind, "as_of": as_of.isoformat(), **rows}
    if gate_facts:
        facts["gate"] = gate_facts
    if hold_reason:
        facts["warning"] = hold_reason
    checks = [check(run_context) for check in CHECKS]
    return result(context, run_context, "releases.live", f"release-{release.release}", metadata, facts, checks)


def _stay(context: dg.AssetExecutionContext, run_context: RunContext, reason: str) -> dg.MaterializeResult:
    """Report that the live release stays.

    Raises:
        WarehouseError: There is no live release.
    """
    live = run_context.home.releases.live()
    if live is None:
        raise WarehouseError(f"nothing can be published yet: {reason}", "run the whole job: stockroom build")
    warning = f"release {live.release} stays: {reason}; run the whole: stockroom build, or the job apply"
    context.log.warning(warning)
    facts = {"release": live.release, "is_new": False, "snapshot": live.snapshot, "model": live.model_id}
    facts |= {"online_upserted": 0, "online_deleted": 0, "warning": warning}
    checks = [check(run_context) for check in CHECKS]
    return result(context, run_context, "releases.live", f"release-{live.release}", {"kind": live.kind}, facts, checks)


def _is_current(run_context: RunContext, live: Release) -> bool:
    """Tell whether the live release has the current lake's vectors and time-series features.

    Return True as well if its model can no longer be applied: no newer vectors can be made then.
    """
    home = run_context.home
    if unservable_reason(run_context, live.model_id):
        return True
    table = ServingModel.of(run_context, live.model_id).vector_table
    with home.lake.reading(live.snapshot) as at_release, home.lake.reading() as at_present:
        same_features = point_in_time.fingerprints(at_release) == point_in_time.fingerprints(at_present)
    return same_features and (live.vector_table, live.vector_version) == (table, home.vectors.version(table))


def _publish(model: ServingModel, *, snapshot: int, **fields: Any) -> Publication:
    """Publish the newest version of the model's vectors if their keys match the snapshot's catalog.

    Raises:
        WarehouseError: A product has no vector, or a vector has no product.
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
        **fields,
    )
