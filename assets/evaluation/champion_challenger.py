"""Champion and challenger: the new model compared with the live one, and the gate decision."""

from functools import cached_property
from typing import Any

import polars as pl

from assets.ranking.candidate_search import with_query_keys
from assets.ranking.ranked_search import ranked, search_as
from assets.ranking.ranker_training import ranker_name
from assets.run_context import RunContext
from assets.services.live_model import live_champion, unservable_reason
from assets.services.model_training import model_name
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import product_texts, query_texts
from assets.services.vector_refresh import stored_vectors
from models.evaluation.bootstrap import Interval
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.promotion_gate import PUBLISHED, Comparison, compare_recall, decide, is_undecidable
from models.evaluation.rankers import DenseRanker, Ranker
from models.ranking.ranker_files import StoredRanker, read_ranker
from warehouse.code_digest import digest
from warehouse.contracts.registry import CONTRACTS
from warehouse.errors import WarehouseError
from warehouse.features import datasets, feature_views
from warehouse.lake import tables
from warehouse.operations.rollback import demoted_by
from warehouse.serving.release_log import Release

GATE = CONTRACTS["evaluation.gate"]
_ORDER = ("method", "weight", "weights", "forest", "candidates", "corrects_spelling")
_MEASURED = ("recall_at_10", "baseline_recall_at_10", "difference", "low", "high", "queries")


GateResult = dict[str, Any]
"""A row of evaluation.gate."""


def decide_promotion(run_context: RunContext) -> dict[str, Any]:
    """Compare the new model with the live one, unless that was done on the same data, and write the gate result.

    Returns:
        The run metadata: whether the models were scored, and the gate result unless the new model is live already.
    """
    pair = _Pair.of(run_context)
    with run_context.home.lake.writing() as connection:
        tables.ensure(connection, GATE)
    if pair is None:
        return {"scored": False}
    known = pair.known()
    gate_result = pair.gate_result(_comparison(known) if known else pair.compare())
    with run_context.home.lake.writing() as connection:
        row = pl.DataFrame([gate_result], schema=_schema())
        tables.refresh_from(connection, GATE, row, f"key = '{gate_result['key']}'")
    return {"scored": known is None, **gate_metadata(gate_result)}


def current_gate_result(run_context: RunContext) -> GateResult | None:
    """Return the gate's result for the new model, or None if the model is live already.

    Raises:
        WarehouseError: The gate has not compared these models on this data.
    """
    pair = _Pair.of(run_context)
    if pair is None:
        return None
    known = pair.known()
    if known is None:
        raise WarehouseError(
            f"model {pair.challenger.model_id} was not yet compared with the live model on this data",
            "materialize evaluation/gate first, or run the whole job: stockroom build",
        )
    return pair.gate_result(_comparison(known))


def winner(run_context: RunContext, gate_result: GateResult | None) -> tuple[str, str]:
    """Return the ids of the model and the ranker to publish: the new ones if the gate lets them through, else the live ones."""
    if gate_result is None or gate_result["decision"] in PUBLISHED:
        return model_name(run_context), ranker_name(run_context)
    return str(gate_result["live_model_id"]), str(gate_result["live_ranker_id"] or "")


def gate_metadata(gate_result: GateResult) -> dict[str, Any]:
    """Return the reported fields of a gate result: all but the key and the input digest."""
    return {name: value for name, value in gate_result.items() if name not in ("key", "inputs")}


class _Pair:
    """The new model with its ranker, and their baseline.

    That is the live model with its ranker, or the new model's own encoder if no live model can be used.
    """

    def __init__(self, run_context: RunContext, challenger: str, ranker: str) -> None:
        self.run_context, self.ranker = run_context, ranker
        self.challenger = ServingModel(run_context, challenger)
        self.live = run_context.home.releases.live()
        self.champion = live_champion(run_context, challenger, ranker)

    @classmethod
    def of(cls, run_context: RunContext) -> "_Pair | None":
        """Return the pair, or None if the new model and ranker are the live ones."""
        challenger, ranker, live = model_name(run_context), ranker_name(run_context), run_context.home.releases.live()
        is_live = live is not None and (live.model_id, live.ranker_id) == (challenger, ranker)
        return None if is_live else cls(run_context, challenger, ranker)

    @cached_property
    def key(self) -> str:
        """Return the key of the pair's row."""
        live = f"{self.live.model_id}:{self.live.ranker_id or 'vector'}" if self.live else "first"
        return f"{self.challenger.model_id}:{self.ranker or 'vector'}:{live}"

    @cached_property
    def inputs(self) -> str:
        """Return the digest of all inputs of the comparison."""
        home, models = self.run_context.home, [self.challenger, *([self.champion] if self.champion else [])]
        tables_of = {each.model_id: each.vector_table for each in models}
        versions = [
            f"{model_id}:{table}:{home.releases.vectors_since(table, home.vectors.version(table))}"
            for model_id, table in tables_of.items()
        ]
        with self.run_context.home.lake.reading() as connection:
            pairs = tables.fingerprint(connection, CONTRACTS["training.pairs"], "split = 'validation'")
            texts = tables.fingerprint(connection, CONTRACTS["staging.products"])
            feature_fingerprints = feature_views.fingerprints(connection)
        settings = str(self.run_context.training.seed), str(self.run_context.release.min_queries)
        return digest(*versions, pairs, texts, *feature_fingerprints, *settings)

    def known(self) -> GateResult | None:
        """Return the stored gate result of this pair on this data, or None."""
        with self.run_context.home.lake.reading() as connection:
            if not tables.exists(connection, GATE.table):
                return None
            rows = connection.execute(
                f"SELECT * FROM {GATE.table} WHERE key = ? AND inputs = ?", [self.key, self.inputs]
            ).pl()
        return rows.row(0, named=True) if rows.height else None

    def compare(self) -> Comparison:
        """Search the catalog with both models for every validation query."""
        judgements = datasets.validation_judgements(self.run_context.home.lake)
        if judgements.is_empty():
            return Comparison(0)
        products = datasets.products(self.run_context.home.lake).sort("locale", "product_id")
        catalog = Catalog(products.select("locale", "product_id"))
        judged = JudgedSet.from_frame(judgements, catalog)
        if self.champion is not None:
            live_ranker = self.live.ranker_id if self.live else ""
            baseline = self._ranker(self.champion, live_ranker, products, judged)
        else:
            vectors = self.challenger.text_vectors
            baseline = DenseRanker(vectors(query_texts(judged.queries)), vectors(product_texts(products)))
        challenger = self._ranker(self.challenger, self.ranker, products, judged)
        seed, min_queries = self.run_context.training.seed, self.run_context.release.min_queries
        return compare_recall(judged, catalog, challenger, baseline, seed=seed, min_queries=min_queries)

    def gate_result(self, comparison: Comparison) -> GateResult:
        """Return the row of evaluation.gate: the measurements and the decision."""
        margin, difference = self.run_context.release.gate_margin, comparison.difference
        decision = decide(
            difference.low if difference else None,
            margin,
            is_first=self.live is None or self._is_first_trained(comparison),
            is_same=self.is_same_order,
            is_demoted=self.demoted_by is not None,
            force=self.run_context.force,
        )
        return {
            "key": self.key,
            "model_id": self.challenger.model_id,
            "live_model_id": self.live.model_id if self.live else None,
            "ranker_id": self.ranker,
            "live_ranker_id": self.live.ranker_id if self.live else None,
            "decision": decision,
            "baseline": "live" if self.champion else "encoder",
            "recall_at_10": comparison.challenger,
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
    def is_same_order(self) -> bool:
        """Tell whether a search orders as with the live model and ranker, but for the word weights of the current catalog."""
        live, home = self.live, self.run_context.home
        if live is None or self.champion is None or not (live.ranker_id and self.ranker):
            return False
        same_model = live.model_id == self.challenger.model_id or not (
            self.champion.is_trained or self.challenger.is_trained
        )
        contents = [read_ranker(home.rankers / ranker) for ranker in (live.ranker_id, self.ranker)]
        old, new = ([content[name] for name in _ORDER] for content in contents)
        return same_model and self.champion.vector_table == self.challenger.vector_table and old == new

    def _is_first_trained(self, comparison: Comparison) -> bool:
        """Tell whether a trained model meets the encoder itself, and too few queries are judged to tell them apart."""
        return (
            comparison.difference is None
            and self.champion is not None
            and self.challenger.is_trained
            and not self.champion.is_trained
            and self.demoted_by is None
        )

    @cached_property
    def demoted_by(self) -> Release | None:
        """Return the rollback that withdrew the new model when it was live before, or None."""
        return demoted_by(self.run_context.home.releases.all(), self.challenger.model_id)

    def _reason(self, comparison: Comparison, decision: str) -> str:
        """Explain the decision: the measurements, the baseline and the remedy."""
        if self.live is None:
            return _first_reason(comparison)
        live, difference, margin = self.live, comparison.difference, self.run_context.release.gate_margin
        challenger, baseline = self._names(live)
        clauses = [f"no validation query has an Exact product: nothing tells {challenger} from {baseline}"]
        if difference is not None:
            clauses = [
                f"{challenger} has recall@10 {comparison.challenger:.4f} on {comparison.queries:,} "
                f"validation queries, {baseline} {comparison.baseline:.4f}: {difference.mean:+.4f} [{difference.low:+.4f}, "
                f"{difference.high:+.4f}], whose lower end must lie above {-margin:+.4f}"
            ]
        elif comparison.queries:
            clauses = [
                f"{comparison.queries:,} validation queries are too few to judge, {self.run_context.release.min_queries:,} are "
                f"wanted: on these {challenger} has recall@10 {comparison.challenger:.4f}, {baseline} "
                f"{comparison.baseline:.4f}"
            ]
        if self._is_first_trained(comparison):
            clauses.insert(
                0, f"the live model {live.model_id} is the encoder itself, so the first trained model goes live"
            )
        elif difference is None and decision == "passed":
            clauses = [f"{challenger} orders as {baseline} does, by the words of the current catalog"]
        if self.champion is None:
            reason = unservable_reason(self.run_context, live.model_id, live.ranker_id)
            clauses.append(f"the live model {live.model_id} could not be evaluated: {reason}")
        if self.demoted_by is not None:
            rollback = self.demoted_by
            clauses.append(
                f"the model was live before, and release {rollback.release} rolled it back ({rollback.note})"
            )
        elif decision in ("undecided", "forced") and difference is None:
            clauses.append("judge more queries, or set release.min_queries")
        elif decision in ("refused", "forced") and difference is not None and is_undecidable(difference, margin):
            clauses.append(
                "so few queries cannot tell an equal model from a worse one: judge more queries, or raise release.gate_margin"
            )
        return "; ".join(clauses)

    def _names(self, live: Release) -> tuple[str, str]:
        """Return what is compared, in words: two models with their rankers, or two rankers of one model."""
        if self.champion is None:
            return f"model {self.challenger.model_id}", "its own encoder"
        if live.model_id == self.challenger.model_id:
            own = f"ranker {self.ranker} of model {live.model_id}"
            return own, f"the live ranker {live.ranker_id}" if live.ranker_id else "the live order by vector"
        return f"model {self.challenger.model_id}", f"the live model {live.model_id}"

    def _ranker(self, model: ServingModel, ranker: str, products: pl.DataFrame, judged: JudgedSet) -> Ranker:
        """Return what a search with this model and this ranker shows."""
        home = self.run_context.home
        version = home.vectors.version(model.vector_table)
        product_vectors = stored_vectors(self.run_context, model.vector_table, version, products)
        query_vectors = model.query_vectors(with_query_keys(judged))
        dense = DenseRanker(query_vectors, product_vectors)
        if not ranker:
            return dense
        stored, catalog = StoredRanker.load(home.rankers / ranker), Catalog(products.select("locale", "product_id"))
        retrieved = search_as(self.run_context, stored, model, catalog, judged, dense, home.texts.version())
        return ranked(retrieved, stored.ordering, dense)


def _comparison(row: GateResult) -> Comparison:
    recall, baseline, mean, low, high, queries = (row[name] for name in _MEASURED)
    return Comparison(queries, recall, baseline, None if low is None else Interval(mean, low, high))


def _mean_difference(comparison: Comparison) -> float | None:
    if comparison.difference is not None:
        return comparison.difference.mean
    if comparison.challenger is None or comparison.baseline is None:
        return None
    return comparison.challenger - comparison.baseline


def _schema() -> dict[str, Any]:
    numbers = dict.fromkeys((*_MEASURED, "margin"), pl.Float64) | {"queries": pl.Int64}
    return {name: numbers.get(name, pl.String) for name in GATE.columns}


def _first_reason(comparison: Comparison) -> str:
    """Explain why the first model goes live."""
    if comparison.challenger is None or comparison.baseline is None:
        measured = "; no validation query has an Exact product to measure it by"
    else:
        measured = (
            f": recall@10 {comparison.challenger:.4f} on {comparison.queries:,} validation queries, its own encoder "
            f"{comparison.baseline:.4f}"
        )
    return f"no model was live before, so this one goes live whatever it scores{measured}"
