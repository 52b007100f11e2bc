"""The evaluation: the candidate beside random, BM25 and its encoder on the test split of task 1."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from assets import plots
from assets.gate import current_verdict, winner
from assets.model import model_name
from assets.relevance import Subject, measure
from assets.serving import ServingModel
from assets.tables import digest, table_asset, table_result
from assets.workspace import Workspace
from models.evaluation import Evaluation, summarise
from warehouse import dated, frames, tables
from warehouse.contracts.registry import CONTRACTS

TABLES = ("evaluation.metrics", "evaluation.queries", "evaluation.rankings")
METRICS = ("ndcg", "ndcg_official", "recall@10", "recall@100", "mrr")


@dg.multi_asset(
    name="evaluation",
    specs=[
        dg.AssetSpec(**table_asset(table, deps=("vectors.products", "training.pairs", "evaluation.gate")))
        for table in TABLES
    ],
)
def evaluation(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Measure the models' stored vectors on the test queries, unless these very vectors were measured on them before.

    The new model, and the live one too where the gate has it stay.
    """
    candidate = model_name(workspace)
    for model_id in dict.fromkeys((candidate, winner(workspace, current_verdict(workspace)))):
        subject, inputs = _subject(workspace, model_id)
        if frames.metrics(workspace.home.lake, model_id)["inputs"].unique().to_list() != [inputs]:
            _measure(workspace, subject, inputs)
    known = frames.metrics(workspace.home.lake, candidate)
    if known.is_empty():
        context.log.warning("no judgement is in the test split: nothing was measured")
    facts = {"relevance": plots.relevance_bars(summary(known))} if known.height else {}
    for table in TABLES:
        yield table_result(context, workspace, table, {}, facts if table == "evaluation.metrics" else {})


def summary(metrics: pl.DataFrame) -> dict[str, Any]:
    """Return the rows of evaluation.metrics as `evaluate --json` writes them: systems, model_minus_encoder, locales."""
    by_locale: dict[str, dict[str, Any]] = {}
    for row in metrics.iter_rows(named=True):
        systems = by_locale.setdefault(row["locale"], {})
        if row["system"] == "model_minus_encoder":
            value: Any = {"mean": row["value"], "low": row["low"], "high": row["high"]}
        else:
            value = row["value"]
            systems.setdefault(row["system"], {})["queries"] = row["queries"]
        systems.setdefault(row["system"], {})[row["metric"]] = value
    overall = by_locale.pop("all", {})
    return {
        "model_minus_encoder": overall.pop("model_minus_encoder", {}),
        "systems": overall,
        "locales": by_locale,
    }


def _subject(workspace: Workspace, model_id: str) -> tuple[Subject, str]:
    """Return what is to be measured, and the digest of all that the numbers hang on."""
    table = ServingModel(workspace, model_id).vector_table
    version = workspace.home.vectors.version(table)
    with workspace.home.lake.reading() as connection:
        pairs = tables.fingerprint(connection, CONTRACTS["training.pairs"])
        products = tables.fingerprint(connection, CONTRACTS["staging.products"])
        asked = dated.fingerprints(connection)
    return Subject(model_id, table, version), digest(
        model_id, str(version), pairs, products, *asked, workspace.bm25.model_dump_json()
    )


def _measure(workspace: Workspace, subject: Subject, inputs: str) -> None:
    """Measure and write the three tables, in one transaction."""
    judgements = frames.task1_judgements(workspace.home.lake)
    rows = {table: _no_rows(table) for table in TABLES}
    if judgements.height:
        measured = measure(workspace, subject, judgements, cached=True)
        texts = judgements.select("locale", "query_id", "query").unique()
        summarised = summarise(measured, seed=workspace.training.seed)
        rows = {
            "evaluation.metrics": _metric_rows(subject.model_id, summarised, inputs),
            "evaluation.queries": _query_rows(subject.model_id, measured, texts),
            "evaluation.rankings": _ranking_rows(subject.model_id, measured, texts),
        }
    with workspace.home.lake.writing() as connection:
        for table, frame in rows.items():
            tables.refresh_from(connection, CONTRACTS[table], frame, f"model_id = '{subject.model_id}'")


def _no_rows(table: str) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(CONTRACTS[table].columns, pl.Null))


def _metric_rows(model_id: str, summary: dict[str, Any], inputs: str) -> pl.DataFrame:
    rows = [
        {"locale": locale, "system": system, "metric": metric, "value": means[metric], "queries": means["queries"]}
        for locale, systems in [("all", summary["systems"]), *summary["locales"].items()]
        for system, means in systems.items()
        for metric in METRICS
    ]
    rows += [
        {
            "locale": "all",
            "system": "model_minus_encoder",
            "metric": metric,
            "value": interval["mean"],
            "low": interval["low"],
            "high": interval["high"],
            "queries": summary["queries"],
        }
        for metric, interval in summary["model_minus_encoder"].items()
    ]
    schema = {"locale": pl.String, "system": pl.String, "metric": pl.String, "queries": pl.Int64}
    schema |= dict.fromkeys(("value", "low", "high"), pl.Float64)
    return pl.DataFrame(rows, schema=schema).with_columns(
        key=pl.format("{}:{}:{}:{}", pl.lit(model_id), "locale", "system", "metric"),
        model_id=pl.lit(model_id),
        inputs=pl.lit(inputs),
    )


def _query_rows(model_id: str, measured: Evaluation, texts: pl.DataFrame) -> pl.DataFrame:
    return (
        measured.rows.join(texts, on=["locale", "query_id"])
        .rename(
            {
                "recall@10": "recall_at_10",
                "recall@100": "recall_at_100",
                "n_judged": "judgements",
                "n_gains": "distinct_gains",
            }
        )
        .with_columns(
            key=pl.format("{}:{}:{}:{}", pl.lit(model_id), "system", "locale", "query_id"), model_id=pl.lit(model_id)
        )
        .select(*CONTRACTS["evaluation.queries"].columns)
    )


def _ranking_rows(model_id: str, measured: Evaluation, texts: pl.DataFrame) -> pl.DataFrame:
    return (
        measured.rankings.join(texts, on=["locale", "query_id"])
        .with_columns(
            key=pl.format("{}:{}:{}:{}", pl.lit(model_id), "locale", "query_id", "product_id"),
            model_id=pl.lit(model_id),
        )
        .select(*CONTRACTS["evaluation.rankings"].columns)
    )
