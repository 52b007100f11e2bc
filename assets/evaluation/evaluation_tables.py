"""Evaluation tables: the measurements of a model as rows of evaluation.metrics, queries and rankings."""

from typing import Any

import polars as pl

from assets.evaluation.known_items import measure_known_items
from assets.evaluation.offline_evaluation import LEADS, EvaluationTarget, measure, previous_model
from assets.run_context import RunContext
from assets.services.serving_model import ServingModel
from models.evaluation.breakdown import WHOLE, long_metrics
from models.evaluation.evaluate import Evaluation
from warehouse.code_digest import digest
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets, feature_views
from warehouse.lake import tables

KNOWN_ITEMS = "evaluation.known_items"
TABLES = ("evaluation.metrics", "evaluation.queries", "evaluation.rankings", KNOWN_ITEMS)
_LEADS = ("model_minus_encoder", "ranked_minus_model", "ranked_minus_bm25")
_FORMAT = "4"  # raised when the measurements change, so that old data is measured again
_RANKED = ("ranked", "model", "text", "encoder", "bm25", "random", "previous")


def summary(metrics: pl.DataFrame) -> dict[str, Any]:
    """Return the rows of evaluation.metrics as `evaluate --json` writes them: rankers, two leads, locales."""
    by_locale: dict[str, dict[str, Any]] = {}
    for row in metrics.iter_rows(named=True):
        rankers = by_locale.setdefault(row["locale"], {})
        if row["slice"] != WHOLE:
            continue
        if row["ranker"] in _LEADS and row["locale"] == WHOLE:
            value: Any = {"mean": row["value"]} | {name: row[name] for name in ("low", "high", "queries")}
        elif "_minus_" in row["ranker"]:
            continue
        else:
            value = row["value"]
            rankers.setdefault(row["ranker"], {})["queries"] = row["queries"]
        rankers.setdefault(row["ranker"], {})[row["metric"]] = value
    overall = by_locale.pop(WHOLE, {})
    return {
        **{name: overall.pop(name, {}) for name in _LEADS},
        "rankers": overall,
        "locales": by_locale,
    }


def refresh_evaluation(run_context: RunContext, model_id: str, ranker_id: str) -> None:
    """Measure a model's stored vectors and its ranker, unless the same were measured before.

    The queries are the test queries. Without any the model is measured by searches for known products.
    """
    (target, inputs), lake = _target(run_context, model_id, ranker_id), run_context.home.lake
    known = {*datasets.metrics(lake, model_id)["inputs"], *datasets.known_items(lake, model_id)["inputs"]}
    if known != {inputs}:
        _measure(run_context, target, inputs)


def _target(run_context: RunContext, model_id: str, ranker_id: str) -> tuple[EvaluationTarget, str]:
    """Return the evaluation target and the digest of all inputs of the evaluation."""
    table = ServingModel.of(run_context, model_id).vector_table
    version = run_context.home.vectors.version(table)
    with run_context.home.lake.reading() as connection:
        pairs = tables.fingerprint(connection, CONTRACTS["training.pairs"])
        products = tables.fingerprint(connection, CONTRACTS["staging.products"])
        feature_fingerprints = feature_views.fingerprints(connection)
    previous = previous_model(run_context, model_id)
    rows = run_context.home.releases.vectors_since(table, version)
    settings = run_context.bm25.model_dump_json(), str(run_context.release.min_queries)
    parts = (model_id, ranker_id, str(rows), previous or "", pairs, products, *feature_fingerprints, *settings, _FORMAT)
    target = EvaluationTarget(model_id, (table, version), previous=previous, ranker=ranker_id)
    return target, digest(*parts)


def _measure(run_context: RunContext, target: EvaluationTarget, inputs: str) -> None:
    """Measure and write the tables, in one transaction."""
    judgements = datasets.task1_judgements(run_context.home.lake)
    rows = {table: tables.no_rows(CONTRACTS[table]) for table in TABLES}
    if judgements.height:
        evaluation = measure(run_context, target, judgements, cached=True)
        texts = judgements.select("locale", "query_id", "query").unique()
        metrics = long_metrics(
            evaluation,
            LEADS,
            seed=run_context.training.seed,
            min_queries=run_context.release.min_queries,
        )
        rows |= {
            "evaluation.metrics": _metric_rows(target.model_id, metrics, inputs),
            "evaluation.queries": _query_rows(target.model_id, evaluation, texts),
            "evaluation.rankings": _ranking_rows(target.model_id, evaluation, texts),
        }
    else:
        rows[KNOWN_ITEMS] = _known_item_rows(target.model_id, measure_known_items(run_context, target), inputs)
    with run_context.home.lake.writing() as connection:
        for table, frame in rows.items():
            tables.refresh_from(connection, CONTRACTS[table], frame, f"model_id = '{target.model_id}'")
        for table in ("evaluation.folds", "evaluation.trials"):  # commands fill them, and queries may read them before
            tables.ensure(connection, CONTRACTS[table])


def _metric_rows(model_id: str, metrics: pl.DataFrame, inputs: str) -> pl.DataFrame:
    parts = ("locale", "slice", "part", "ranker", "metric")
    return metrics.with_columns(
        key=pl.concat_str(pl.lit(model_id), *parts, separator=":"), model_id=pl.lit(model_id), inputs=pl.lit(inputs)
    )


def _known_item_rows(model_id: str, measured: pl.DataFrame, inputs: str) -> pl.DataFrame:
    key = pl.concat_str(pl.lit(model_id), "locale", "ranker", "metric", separator=":")
    return measured.with_columns(key=key, model_id=pl.lit(model_id), inputs=pl.lit(inputs))


def _query_rows(model_id: str, evaluation: Evaluation, texts: pl.DataFrame) -> pl.DataFrame:
    return (
        evaluation.rows.join(texts, on=["locale", "query_id"])
        .rename(
            {
                "recall@10": "recall_at_10",
                "recall@100": "recall_at_100",
                "n_judged": "judgements",
                "n_gains": "distinct_gains",
            }
        )
        .with_columns(
            key=pl.format("{}:{}:{}:{}", pl.lit(model_id), "ranker", "locale", "query_id"), model_id=pl.lit(model_id)
        )
        .select(*CONTRACTS["evaluation.queries"].columns)
    )


def _ranking_rows(model_id: str, evaluation: Evaluation, texts: pl.DataFrame) -> pl.DataFrame:
    rank_columns = [f"{ranker}_{rank}" for ranker in _RANKED for rank in ("rank", "catalog_rank")]
    null_columns = [
        pl.lit(None, pl.Int64).alias(name) for name in rank_columns if name not in evaluation.rankings.columns
    ]
    return (
        evaluation.rankings.with_columns(null_columns)
        .join(texts, on=["locale", "query_id"])
        .with_columns(
            key=pl.format("{}:{}:{}:{}", pl.lit(model_id), "locale", "query_id", "product_id"),
            model_id=pl.lit(model_id),
        )
        .select(*CONTRACTS["evaluation.rankings"].columns)
    )
