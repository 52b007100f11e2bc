"""Samplers: draw training batches as row numbers, and mask the products that are no negatives of a query."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from models.labels import EXACT, IRRELEVANT, gains_of
from models.training.dataset import TrainingData

Rows = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class ContrastiveBatch:
    """Hold Exact pairs and the candidate products of one locale.

    `queries` (batch,) and `candidates` (products,) are row numbers, without duplicate candidates; `target` (batch,) is the
    column of each pair's product; `masked` (batch, products) marks other products judged E, S or C for the query.
    """

    queries: Rows
    candidates: Rows
    target: Rows
    masked: npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class GradedBatch:
    """Hold judged lists, padded: `queries` (lists,), `products`, `gains` and `judged` (lists, length)."""

    queries: Rows
    products: Rows
    gains: npt.NDArray[np.float32]
    judged: npt.NDArray[np.bool_]


class Judgements:
    """Hold one split's judgements sorted by query, so that the list of a query is a slice."""

    def __init__(self, data: TrainingData, split: str) -> None:
        rows = np.flatnonzero(data.split == split)
        order = rows[np.lexsort((data.product_index[rows], data.query_index[rows]))]
        self.query: Rows = data.query_index[order].astype(np.int64)
        self.product: Rows = data.product_index[order].astype(np.int64)
        self.label: npt.NDArray[np.int8] = data.label[order]
        self.start: Rows = np.searchsorted(self.query, np.arange(len(data.query_vectors) + 1)).astype(np.int64)
        self.query_locale = data.query_locale
        self.query_group: Rows = data.query_groups
        self.product_row: Rows = data.catalog_rows
        self.catalog: dict[str, Rows] = data.catalog
        mined = np.lexsort((data.mined_product, data.mined_query))
        self.mined_query: Rows = data.mined_query[mined]
        self.mined_product: Rows = data.mined_product[mined]

    def expand(self, queries: Rows) -> tuple[Rows, Rows]:
        """Return (row of `queries`, row of the judgements) for every judgement of these queries, in order."""
        return _expand(self.start[queries], self.start[queries + 1])

    def expand_groups(self, queries: Rows) -> tuple[Rows, Rows]:
        """Return the same for the judgements in all rows of these queries, whatever their time."""
        group = self.query_group[queries]
        first, last = (np.searchsorted(self.query_group, group, side) for side in ("left", "right"))
        return _expand(self.start[first], self.start[last])

    def expand_mined(self, queries: Rows) -> tuple[Rows, Rows]:
        """Return (row of `queries`, row of the mined negatives) for every mined negative of these queries, in order."""
        group = self.query_group[queries]
        first, last = (np.searchsorted(self.mined_query, group, side) for side in ("left", "right"))
        return _expand(first, last)

    def exact(self) -> Rows:
        """Return the rows of the Exact judgements."""
        return np.flatnonzero(self.label == EXACT)

    def graded(self) -> Rows:
        """Return the queries whose list has at least two distinct labels; other lists have no order to learn."""
        if len(self.query) == 0:
            return np.empty(0, dtype=np.int64)
        queries, first = np.unique(self.query, return_index=True)
        return queries[np.maximum.reduceat(self.label, first) > np.minimum.reduceat(self.label, first)]


def _expand(start: Rows, end: Rows) -> tuple[Rows, Rows]:
    """Return (range, number) for every number of the ranges from `start` to before `end`, in order."""
    counts = end - start
    row = np.repeat(np.arange(len(start)), counts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    return row, start[row] + within


@dataclasses.dataclass(frozen=True)
class _BatchDraw:
    """Hold the random choices of a batch: rows of Exact judgements, and products that are negatives."""

    pairs: Rows
    others: Rows


def count_batches(judgements: Judgements, batch_pairs: int) -> int:
    """Return the number of batches of at most `batch_pairs` pairs in an epoch."""
    _, pairs = np.unique(judgements.query_locale[judgements.query[judgements.exact()]], return_counts=True)
    return int((-(-pairs // batch_pairs)).sum())


def contrastive_batches(
    judgements: Judgements,
    batch_pairs: int,
    irrelevant_per_query: int,
    catalog_negatives: int,
    rng: np.random.Generator,
    mined_per_query: int = 0,
) -> Iterator[ContrastiveBatch]:
    """Draw every Exact pair once, in batches of one locale, in random order.

    The negatives of a query are the other products of its batch and random draws from three sources: products judged
    Irrelevant for the batch's queries, hard negatives mined for them, and the whole catalog, which a search has to rank.

    A batch has one locale because a search does. A product of another locale is never a negative: masking it would leave a
    small locale with few negatives, and keeping it would teach languages rather than relevance.

    The call makes all random choices, as row numbers; the far larger masks are made as batches are consumed.
    """
    pairs = judgements.exact()
    locale = judgements.query_locale[judgements.query[pairs]]
    batches: list[tuple[Rows, Rows]] = []
    for name in np.unique(locale):
        locale_pairs = rng.permutation(pairs[locale == name])
        catalog = judgements.catalog.get(str(name), np.empty(0, dtype=np.int64))
        # Equal parts: a remainder of a few pairs would have hardly any negatives.
        batches += [(part, catalog) for part in np.array_split(locale_pairs, -(-len(locale_pairs) // batch_pairs))]
    draws = []
    for position in rng.permutation(len(batches)):
        part, catalog = batches[position]
        negatives = [rng.choice(catalog, min(catalog_negatives, len(catalog)), replace=False)]
        if mined_per_query:
            row, mined = judgements.expand_mined(judgements.query[part])
            negatives.append(judgements.mined_product[mined[_draw(row, mined_per_query, rng)]])
        row, judged = judgements.expand(judgements.query[part])
        is_irrelevant = judgements.label[judged] == IRRELEVANT
        drawn = _draw(row[is_irrelevant], irrelevant_per_query, rng)
        negatives.append(judgements.product[judged[is_irrelevant][drawn]])
        draws.append(_BatchDraw(part, np.concatenate(negatives)))
    return (_contrastive_batch(judgements, one) for one in draws)


def _contrastive_batch(judgements: Judgements, draw: _BatchDraw) -> ContrastiveBatch:
    queries, positives = judgements.query[draw.pairs], judgements.product[draw.pairs]
    candidates, column = np.unique(np.concatenate([positives, draw.others]), return_inverse=True)
    target = column[: len(positives)].astype(np.int64)
    masked = np.zeros((len(positives), len(candidates)), dtype=np.bool_)
    masked[_known_columns(judgements, queries, candidates)] = True
    masked[np.arange(len(positives)), target] = False
    return ContrastiveBatch(queries, candidates, target, masked)


def _known_columns(judgements: Judgements, queries: Rows, candidates: Rows) -> tuple[Rows, Rows]:
    """Return (row of `queries`, column of `candidates`) wherever the product is E, S or C for the query, at any time."""
    row, judged = judgements.expand_groups(queries)
    is_known = judgements.label[judged] != IRRELEVANT
    products = judgements.product_row[candidates]
    order = np.argsort(products, kind="stable")
    relevant = judgements.product_row[judgements.product[judged[is_known]]]
    first, last = (np.searchsorted(products[order], relevant, side) for side in ("left", "right"))
    place, column = _expand(first, last)
    return row[is_known][place], order[column]


def _draw(group: Rows, count: int, rng: np.random.Generator) -> Rows:
    """Return positions of at most `count` random members of every group; `group` is sorted."""
    order = np.lexsort((rng.random(len(group)), group))
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    return order[rank < count]


def graded_batches(judgements: Judgements, batches: int, rng: np.random.Generator) -> Iterator[GradedBatch | None]:
    """Yield each list with an order to learn once, spread over this many batches; None if there are too few lists."""
    if batches == 0:
        return
    for queries in np.array_split(rng.permutation(judgements.graded()), batches):
        yield _graded_batch(judgements, queries) if len(queries) else None


def _graded_batch(judgements: Judgements, queries: Rows) -> GradedBatch:
    row, judged = judgements.expand(queries)
    column = judged - judgements.start[queries][row]
    shape = (len(queries), int(column.max()) + 1)
    products = np.zeros(shape, dtype=np.int64)
    gains = np.zeros(shape, dtype=np.float32)
    mask = np.zeros(shape, dtype=np.bool_)
    products[row, column] = judgements.product[judged]
    gains[row, column] = gains_of(judgements.label[judged])
    mask[row, column] = True
    return GradedBatch(queries, products, gains, mask)


@dataclasses.dataclass(frozen=True)
class TowerInputs:
    """Hold all that one side's tower reads: `vectors` (rows, dim), `numeric` and `categorical` (rows, columns)."""

    vectors: npt.NDArray[np.float32]
    numeric: npt.NDArray[np.float32]
    categorical: npt.NDArray[np.int64]

    def take(self, rows: Rows | slice, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return these rows as tensors on the device; no other rows are read from memory-mapped arrays."""
        arrays = (self.vectors[rows], self.numeric[rows], self.categorical[rows])
        # Copy a view: torch does not share read-only memory.
        tensors = (torch.from_numpy(np.array(array) if isinstance(rows, slice) else array) for array in arrays)
        vectors, numeric, categorical = (tensor.to(device) for tensor in tensors)
        return vectors, numeric, categorical
