"""Retrieval validation: search the whole catalog for the validation queries with the current towers, and score the results."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.training.dataset import TrainingData
from models.training.samplers import Judgements, Rows, TowerInputs

if TYPE_CHECKING:
    import torch

    from models.towers.network import TwoTower

DEPTH = 100
"""Products retrieved for each query, in products."""


@dataclasses.dataclass(frozen=True)
class RetrievalScores:
    """Hold means over queries at one alpha, each 0 to 1; a first Exact product below rank 100 counts 0 in `mrr`."""

    alpha: float
    recall_at_10: float
    recall_at_100: float
    mrr: float


class RetrievalCheck:
    """Score towers by the ranks of the Exact products among all products of the query's locale."""

    def __init__(
        self, data: TrainingData, judgements: Judgements, most_queries: int, product_rows: int, seed: int
    ) -> None:
        exact = judgements.exact()
        queries = np.unique(judgements.query[exact])
        if len(queries) > most_queries:
            queries = np.sort(np.random.default_rng(seed).choice(queries, most_queries, replace=False))
        self.queries: Rows = queries
        self.product_rows = product_rows
        pairs = exact[np.isin(judgements.query[exact], queries)]
        self._row = np.searchsorted(queries, judgements.query[pairs])
        self._product = data.catalog_rows[judgements.product[pairs]]
        locales = data.query_locale[queries]
        self._groups = [
            (np.flatnonzero(locales == locale), data.catalog.get(str(locale), np.empty(0, dtype=np.int64)))
            for locale in np.unique(locales)
        ]

    def score(
        self,
        towers: TwoTower,
        alphas: tuple[float, ...],
        queries: TowerInputs,
        products: TowerInputs,
        device: torch.device,
    ) -> list[RetrievalScores]:
        """Embed the validation queries and their catalogs once, search exactly, and return scores for every alpha.

        An alpha at which a vector is not finite, as after divergence, is left out. `product_rows` bounds the memory: only the
        best products so far are kept.
        """
        best_rows = np.full((len(alphas), len(self.queries), DEPTH), -1, dtype=np.int64)
        is_finite = np.ones(len(alphas), dtype=bool)
        for members, catalog in self._groups:
            scores, rows = self._search(towers, alphas, queries, products, self.queries[members], catalog, device)
            best_rows[:, members, : rows.shape[2]] = rows
            is_finite &= np.isfinite(scores).all(
                axis=(1, 2)
            )  # topk counts NaN as the largest, so it stays among the best
        return [self._measure(alphas[position], best_rows[position]) for position in np.flatnonzero(is_finite)]

    def _search(
        self,
        towers: TwoTower,
        alphas: tuple[float, ...],
        queries: TowerInputs,
        products: TowerInputs,
        members: Rows,
        catalog: Rows,
        device: torch.device,
    ) -> tuple[npt.NDArray[np.float32], Rows]:
        """Return the best scores (alphas, queries, depth) and the products' rows."""
        import torch

        from models.towers.network import apply_change

        with torch.no_grad():
            inputs = queries.take(members, device)
            x, change = inputs[0], towers.change("query", *inputs)
            query = torch.stack([apply_change(x, change, alpha) for alpha in alphas])  # (alphas, queries, dim)
            scores = torch.empty((*query.shape[:2], 0), device=device)
            rows = torch.empty((*query.shape[:2], 0), dtype=torch.int64, device=device)
            for start in range(0, len(catalog), self.product_rows):
                chunk = catalog[start : start + self.product_rows]
                inputs = products.take(chunk, device)
                x, change = inputs[0], towers.change("product", *inputs)
                best = [
                    self._merge(scores[i], rows[i], query[i] @ apply_change(x, change, alpha).T, chunk)
                    for i, alpha in enumerate(alphas)
                ]
                scores, rows = torch.stack([b[0] for b in best]), torch.stack([b[1] for b in best])
        return scores.cpu().numpy(), rows.cpu().numpy()

    def _merge(
        self, scores: torch.Tensor, rows: torch.Tensor, chunk_scores: torch.Tensor, chunk: Rows
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the best scores (queries, depth) and their rows among the best so far and one more chunk's."""
        import torch

        chunk_rows = torch.from_numpy(chunk).to(rows.device).expand(len(rows), -1)
        merged = torch.cat([scores, chunk_scores], dim=1)
        top, columns = merged.topk(min(DEPTH, merged.shape[1]), dim=1)
        return top, torch.cat([rows, chunk_rows], dim=1).gather(1, columns)

    def _measure(self, alpha: float, best_rows: Rows) -> RetrievalScores:
        hits = best_rows[self._row] == self._product[:, None]  # (pairs, depth)
        rank = np.where(hits.any(axis=1), hits.argmax(axis=1), DEPTH)
        relevant = np.bincount(self._row, minlength=len(best_rows)).astype(np.int64)
        first = np.full(len(best_rows), DEPTH)
        np.minimum.at(first, self._row, rank)
        return RetrievalScores(
            alpha=alpha,
            recall_at_10=self._recall(rank < 10, relevant),
            recall_at_100=self._recall(rank < DEPTH, relevant),
            mrr=float(np.where(first < DEPTH, 1 / (first + 1), 0.0).mean()),
        )

    def _recall(self, hit: npt.NDArray[np.bool_], relevant: Rows) -> float:
        return float((np.bincount(self._row, weights=hit, minlength=len(relevant)) / relevant).mean())
