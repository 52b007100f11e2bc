"""Publishing: the release that the lake's state needs, and the online features of its snapshot."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from assets.evaluation.champion_challenger import GateResult, gate_metadata
from assets.evaluation.evaluation_tables import summary
from assets.run_context import RunContext
from assets.services.live_model import unservable_reason
from assets.services.serving_model import ServingModel
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.features import datasets, feature_views
from warehouse.lake import change_feed
from warehouse.operations import consistency, rollback
from warehouse.search import search_rules
from warehouse.serving.release_log import Publication, Release


@dataclass(frozen=True)
class Published:
    """Hold the live release after a run, the as-of time of its features, and the run metadata (`facts`)."""

    release: Release
    as_of: datetime
    facts: dict[str, Any]


def publish(
    run_context: RunContext,
    model_id: str,
    ranker_id: str,
    gate_result: GateResult | None,
    snapshot: int,
    published_at: datetime,
) -> Published:
    """Write the online features of a snapshot, and publish a release if searchers would see a difference.

    A new model or ranker goes live if the gate lets it through. Otherwise the live one stays, and gets a new release if the
    catalog or the time-series features changed. A rollback stays until something changes.
    """
    home, live = run_context.home, run_context.home.releases.live()
    gate_facts = gate_metadata(gate_result) if gate_result else None
    if live is not None:
        home.online.restore(home.lake, live.snapshot, ())
    online = home.online.write(home.lake, snapshot)  # before a release names the snapshot
    with home.lake.reading() as connection:
        as_of = feature_views.as_of(connection, home.settings)
    hold_reason = None if run_context.force else rollback.hold_reason(home, model_id)
    is_same_model = live is not None and (live.model_id, live.ranker_id) == (model_id, ranker_id)
    if live is not None and (
        hold_reason or (is_same_model and _stays(run_context, live, is_refused=gate_facts is not None))
    ):
        release, is_new = live, False
    else:
        gate = json.loads(live.metrics).get("gate") if live is not None and is_same_model else gate_facts
        metrics = {"as_of": as_of.isoformat(), **summary(datasets.metrics(home.lake, model_id)), "gate": gate}
        published = _append(
            ServingModel.of(run_context, model_id),
            ranker_id=ranker_id,
            kind="catalog" if is_same_model else "model",
            snapshot=snapshot,
            published_at=published_at,
            metrics=json.dumps(metrics),
            note=f"forced: {gate['reason']}" if gate and gate["decision"] == "forced" and not is_same_model else "",
        )
        release, is_new = published.release, published.is_new
    facts = release_facts(release, is_new=is_new)
    facts |= {"online_upserted": online.upserted, "online_deleted": online.deleted}
    facts |= {"gate": gate_facts} if gate_facts else {}
    facts |= {"warning": hold_reason} if hold_reason else {}
    return Published(release, as_of, facts)


def stay(run_context: RunContext, reason: str) -> Published:
    """Leave the live release as it is, with a warning that gives the reason.

    Raises:
        WarehouseError: There is no live release.
    """
    home, live = run_context.home, run_context.home.releases.live()
    if live is None:
        raise WarehouseError(f"nothing can be published yet: {reason}", "run the whole job: stockroom build")
    with home.lake.reading() as connection:
        as_of = feature_views.as_of(connection, home.settings)
    warning = f"release {live.release} stays live: {reason}; run the whole job: stockroom build, or the job apply"
    facts = release_facts(live, is_new=False) | {"online_upserted": 0, "online_deleted": 0, "warning": warning}
    return Published(live, as_of, facts)


def release_facts(release: Release, *, is_new: bool) -> dict[str, Any]:
    """Return the run metadata of a release: number, whether it is new, snapshot and model."""
    return {"release": release.release, "is_new": is_new, "snapshot": release.snapshot, "model": release.model_id}


def key_differences(
    run_context: RunContext, vector_table: str, version: int, snapshot: int, among: pl.DataFrame | None = None
) -> tuple[int, int]:
    """Count the products of a snapshot without a vector in a version of a table, and the vectors without a product.

    A version and a snapshot never change, so a run compares them once. With `among`, only the keys of that frame are
    compared: all other keys were compared before.
    """
    return run_context.cached(
        f"key differences {vector_table} {version} {snapshot}",
        lambda: consistency.catalog_differences(run_context.home, vector_table, version, snapshot, among),
    )


def _stays(run_context: RunContext, live: Release, *, is_refused: bool) -> bool:
    """Tell whether searches and lookups would see no difference in another release of the live model.

    `is_refused` tells whether the gate refused a new model, whose training data the live model never saw.
    """
    if not is_refused and (run_context.force or rollback.has_served_changes(run_context.home, live.snapshot)):
        return False
    return _is_current(run_context, live)


def _is_current(run_context: RunContext, live: Release) -> bool:
    """Tell whether the live release has the current lake's vectors, texts and time-series features.

    Also return True if its model cannot be used on the current catalog: no newer vectors can be made then.
    """
    home = run_context.home
    if unservable_reason(run_context, live.model_id):
        return True
    table = ServingModel.of(run_context, live.model_id).vector_table
    with home.lake.reading(live.snapshot) as at_release, home.lake.reading() as at_present:
        same_features = feature_views.fingerprints(at_release) == feature_views.fingerprints(at_present)
    versions = home.vectors.version(table), home.texts.version()
    return same_features and (live.vector_table, live.vector_version, live.text_version) == (table, *versions)


def _append(model: ServingModel, *, snapshot: int, **fields: Any) -> Publication:
    """Publish the newest versions of the model's vectors and of the text index if the vectors match the snapshot's catalog.

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
            f"the vectors do not match the catalog: {missing:,} products without a vector, {extra:,} vectors "
            "without a product",
            "nothing was published; make the vectors again with: stockroom build",
        )
    rules = model.run_context.watermarks.state.tables.get(search_rules.RULES.table)
    return home.releases.publish(
        model_id=model.model_id,
        encoder_fingerprint=model.texts.fingerprint,
        vector_table=model.vector_table,
        vector_version=version,
        text_version=home.texts.version(),
        rules=rules.rows if rules else 0,
        snapshot=snapshot,
        **fields,
    )
