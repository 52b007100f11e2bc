"""The gate: a new model goes live only if it finds no less than the live one, on validation queries in the full catalogue."""

from functools import cached_property
from typing import Any

import dagster as dg
import polars as pl

from assets.core.table_asset import table_asset, table_result
from assets.model.two_tower import model_name
from assets.run_context import Workspace
from assets.services.offline_evaluation import asked, stored_vectors
from assets.services.serving_model import ServingModel, hindrance, live_rival
from assets.services.text_vectors import product_texts, query_texts
from models.evaluation.bootstrap import Interval
from models.evaluation.judged_set import Catalogue, JudgedSet
from models.evaluation.promotion_gate import PUBLISHED, Comparison, compare_recall, decide, is_undecidable
from models.evaluation.rankers import DenseSystem
from warehouse.code_digest import digest
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.features import datasets, point_in_time
from warehouse.lake import tables
from warehouse.operations.rollback import withdrawn_by
from warehouse.serving.release_log import Release

GATE = CONTRACTS["evaluation.gate"]
_MEASURED = ("recall_at_10", "baseline_recall_at_10", "difference", "low", "high", "queries")

Verdict = dict[str, Any]
"""A row of evaluation.gate."""


@dg.asset(**table_asset("evaluation.gate", deps=("vectors.products", "training.pairs"), kinds={"numpy"}))
def evaluation_gate(
    context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
) -> dg.MaterializeResult[Any]:
    """Hold the new model against the live one, unless these very two were held against each other on this very data."""
    pair = _Pair.of(workspace)
    with workspace.home.lake.writing() as connection:
        tables.ensure(connection, GATE)
    facts: dict[str, Any] = {"scored": False}
    if pair is not None:
        known = pair.known()
        comparison = _comparison(known) if known else pair.compare()
        verdict = pair.verdict(comparison)
        with workspace.home.lake.writing() as connection:
            row = pl.DataFrame([verdict], schema=_schema())
            tables.refresh_from(connection, GATE, row, f"key = '{verdict['key']}'")
        facts = {"scored": known is None, **shown(verdict)}
    return table_result(context, workspace, GATE.table, facts)


def current_verdict(workspace: Workspace) -> Verdict | None:
    """Return what the gate has to say of the new model, None if it is live already.

    Raises:
        WarehouseError: The gate has not yet seen these models on this data.
    """
    pair = _Pair.of(workspace)
    if pair is None:
        return None
    known = pair.known()
    if known is None:
        raise WarehouseError(
            f"model {pair.candidate.model_id} was not yet held against the live one on this data",
            "materialize evaluation/gate first, or run the whole: stockroom build",
        )
    return pair.verdict(_comparison(known))


def winner(workspace: Workspace, verdict: Verdict | None) -> str:
    """Return the model that is to answer searches: the new one if the gate lets it through, else the live one."""
    if verdict is None:
        return model_name(workspace)
    return str(verdict["model_id"] if verdict["decision"] in PUBLISHED else verdict["live_model_id"])


def shown(verdict: Verdict) -> dict[str, Any]:
    """Return what people and programs are told of a verdict."""
    return {name: value for name, value in verdict.items() if name not in ("key", "inputs")}


class _Pair:
    """The new model, and what it is held against: the live model, or the new one's own encoder in its place."""

    def __init__(self, workspace: Workspace, candidate: str) -> None:
        self.workspace = workspace
        self.candidate = ServingModel(workspace, candidate)
        self.live = workspace.home.releases.live()
        self.rival = live_rival(workspace, candidate)

    @classmethod
    def of(cls, workspace: Workspace) -> "_Pair | None":
        """Return the pair, None if the new model is the live one."""
        candidate, live = model_name(workspace), workspace.home.releases.live()
        return None if live is not None and live.model_id == candidate else cls(workspace, candidate)

    @cached_property
    def key(self) -> str:
        """Return the key of the pair's row."""
        return f"{self.candidate.model_id}:{self.live.model_id if self.live else 'first'}"

    @cached_property
    def inputs(self) -> str:
        """Return the digest of all that the comparison hangs on."""
        home, models = self.workspace.home, [self.candidate, *([self.rival] if self.rival else [])]
        tables_of = {each.model_id: each.vector_table for each in models}
        versions = [
            f"{model_id}:{table}:{home.releases.vectors_since(table, home.vectors.version(table))}"
            for model_id, table in tables_of.items()
        ]
        with self.workspace.home.lake.reading() as connection:
            pairs = tables.fingerprint(connection, CONTRACTS["training.pairs"], "split = 'validation'")
            asked_features = point_in_time.fingerprints(connection)
        settings = str(self.workspace.training.seed), str(self.workspace.release.min_queries)
        return digest(*versions, pairs, *asked_features, *settings)

    def known(self) -> Verdict | None:
        """Return the stored verdict of this pair on this data."""
        with self.workspace.home.lake.reading() as connection:
            if not tables.exists(connection, GATE.table):
                return None
            found = connection.execute(
                f"SELECT * FROM {GATE.table} WHERE key = ? AND inputs = ?", [self.key, self.inputs]
            ).pl()
        return found.row(0, named=True) if found.height else None

    def compare(self) -> Comparison:
        """Search the catalogue for every validation query with both."""
        judgements = datasets.validation_judgements(self.workspace.home.lake)
        if judgements.is_empty():
            return Comparison(0)
        products = datasets.products(self.workspace.home.lake).sort("locale", "product_id")
        catalogue = Catalogue(products.select("locale", "product_id"))
        judged = JudgedSet.from_frame(judgements, catalogue)
        if self.rival is not None:
            baseline = self._system(self.rival, products, judged)
        else:
            vectors = self.candidate.text_vectors
            baseline = DenseSystem(vectors(query_texts(judged.queries)), vectors(product_texts(products)))
        candidate = self._system(self.candidate, products, judged)
        seed, min_queries = self.workspace.training.seed, self.workspace.release.min_queries
        return compare_recall(judged, catalogue, candidate, baseline, seed=seed, min_queries=min_queries)

    def verdict(self, comparison: Comparison) -> Verdict:
        """Return the row of evaluation.gate: what was measured and what follows from it."""
        margin, difference = self.workspace.release.gate_margin, comparison.difference
        decision = decide(
            difference.low if difference else None,
            margin,
            is_first=self.live is None,
            is_withdrawn=self.withdrawn_by is not None,
            force=self.workspace.force,
        )
        return {
            "key": self.key,
            "model_id": self.candidate.model_id,
            "live_model_id": self.live.model_id if self.live else None,
            "decision": decision,
            "baseline": "live" if self.rival else "encoder",
            "recall_at_10": comparison.candidate,
            "baseline_recall_at_10": comparison.baseline,
            "difference": _mean_difference(comparison),
            "low": difference.low if difference else None,
            "high": difference.high if difference else None,
            "queries": comparison.queries,
            "margin": margin,
            "reason": self._reason(comparison, decision),
            "inputs": self.inputs,
        }

    @cached_property
    def withdrawn_by(self) -> Release | None:
        """Return the rollback that took the new model away from searches when it was live before."""
        return withdrawn_by(self.workspace.home.releases.all(), self.candidate.model_id)

    def _reason(self, comparison: Comparison, decision: str) -> str:
        """Return the decision in words: what was measured, against what, and what can be done about it."""
        live, difference, margin = self.live, comparison.difference, self.workspace.release.gate_margin
        baseline = f"the live model {live.model_id}" if self.rival and live else "its own encoder"
        said = [
            f"no validation query has an Exact product: nothing tells model {self.candidate.model_id} from {baseline}"
        ]
        if difference is not None:
            said = [
                f"model {self.candidate.model_id} has recall@10 {comparison.candidate:.4f} on {comparison.queries:,} validation "
                f"queries, {baseline} {comparison.baseline:.4f}: {difference.mean:+.4f} [{difference.low:+.4f}, "
                f"{difference.high:+.4f}], whose lower end must lie above {-margin:+.4f}"
            ]
        elif comparison.queries:
            said = [
                f"{comparison.queries:,} validation queries are too few to judge, {self.workspace.release.min_queries:,} are "
                f"wanted: on these model {self.candidate.model_id} has recall@10 {comparison.candidate:.4f}, {baseline} "
                f"{comparison.baseline:.4f}"
            ]
        if live is not None and self.rival is None:
            why = hindrance(self.workspace, live.model_id)
            said.append(f"the live model {live.model_id} could not be asked: {why}")
        if self.withdrawn_by is not None:
            back = self.withdrawn_by
            said.append(f"it was live before, and release {back.release} went back from it ({back.note})")
        elif decision in ("undecided", "forced") and difference is None:
            said.append("judge more, or set release.min_queries")
        elif decision in ("refused", "forced") and difference is not None and is_undecidable(difference, margin):
            said.append(
                "so few queries could not tell an equal model from a worse one: judge more, or widen the margin"
            )
        return "; ".join(said)

    def _system(self, model: ServingModel, products: pl.DataFrame, judged: JudgedSet) -> DenseSystem:
        version = self.workspace.home.vectors.version(model.vector_table)
        of_products = stored_vectors(self.workspace, model.vector_table, version, products)
        return DenseSystem(model.query_vectors(asked(judged)), of_products)


def _comparison(row: Verdict) -> Comparison:
    recall, baseline, mean, low, high, queries = (row[name] for name in _MEASURED)
    return Comparison(queries, recall, baseline, None if low is None else Interval(mean, low, high))


def _mean_difference(comparison: Comparison) -> float | None:
    if comparison.difference is not None:
        return comparison.difference.mean
    if comparison.candidate is None or comparison.baseline is None:
        return None
    return comparison.candidate - comparison.baseline


def _schema() -> dict[str, Any]:
    numbers = dict.fromkeys((*_MEASURED, "margin"), pl.Float64) | {"queries": pl.Int64}
    return {name: numbers.get(name, pl.String) for name in GATE.columns}
