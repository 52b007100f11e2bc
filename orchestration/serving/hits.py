"""The hits of a search: what each one shows, and how equal titles are folded."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import polars as pl

from warehouse.errors import WarehouseError
from warehouse.search.facets import Facet


@dataclass(frozen=True)
class Explanation:
    """Tell how a hit got its place.

    Attributes:
        found_by: the legs that found the product: vector, text or both; empty beyond the candidates.
        vector_rank: rank among the candidates by cosine, from 1.
        text_rank: rank among the candidates by text score, from 1.
        cosine: cosine of query and product vector.
        text_score: BM25 of the query's words, from title and body.
        features: the pair features, by name, as in features.pairs.
    """

    found_by: tuple[str, ...]
    vector_rank: int
    text_rank: int
    cosine: float
    text_score: float
    features: dict[str, Any]


@dataclass(frozen=True)
class Hit:
    """One product of a search result.

    Attributes:
        rank: its place, from 1.
        key: locale:product_id.
        product_id: the catalog's id.
        locale: locale in its normal form, such as us or en-us.
        title: the cleaned title.
        score: what orders the hits of one search; the cosine where the vector alone does.
        same_title: number of further hits with the same title, which are not shown.
        explanation: how the product got its place, where that was asked for.
        rules: what the shop's search rules did to the product, in words, where an explanation was asked for.
        values: the values of the columns that were to be shown, by name.
    """

    rank: int
    key: str
    product_id: str
    locale: str
    title: str
    score: float
    same_title: int = 0
    explanation: Explanation | None = None
    rules: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the hit as plain values, for JSON; with the explanation, the rules and the values if there are any."""
        values = asdict(self)
        for name in ("explanation", "rules", "values"):
            if not values[name]:
                del values[name]
        return values


@dataclass(frozen=True)
class Answer:
    """Hold the hits of a search, and the facets of the products that the search found.

    Attributes:
        hits: the best products, best first.
        facets: a facet for each column that was asked for.
        found: number of products that the facets count.
        rules: what the shop's search rules did to the query as a whole, in words.
        corrections: the words of the query that the catalog does not know, and the words that were searched for instead.
        no_word_found: whether the search by words found no product; any hits are then the nearest by meaning.
        seconds: the time that each stage of the search took, by the names in `orchestration.serving.stages`.
    """

    hits: list[Hit]
    facets: tuple[Facet, ...]
    found: int
    rules: tuple[str, ...] = ()
    corrections: dict[str, str] = field(default_factory=dict)
    no_word_found: bool = False
    seconds: dict[str, float] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain values, for JSON."""
        facets = [asdict(facet) for facet in self.facets]
        hits = [hit.to_dict() for hit in self.hits]
        return {
            "hits": hits,
            "facets": facets,
            "found": self.found,
            "rules": list(self.rules),
            "corrections": self.corrections,
            "no_word_found": self.no_word_found,
        }


def hits_of(rows: pl.DataFrame) -> list[Hit]:
    """Return rows of the vector leg as hits: rank, key, product_id, locale, title and score."""
    return [hit_of(row["rank"], row, row["score"]) for row in rows.iter_rows(named=True)]


def hit_of(rank: int, row: dict[str, Any], score: float, explanation: Explanation | None = None) -> Hit:
    """Return a row with key, product_id, locale and title as the hit of a rank."""
    return Hit(rank, row["key"], row["product_id"], row["locale"], row["title"], score, explanation=explanation)


def first_hits(first: Callable[[int], list[Hit]], k: int, *, fold: bool) -> list[Hit]:
    """Return the first `k` hits, of those with the same title and locale only the best.

    Raises:
        WarehouseError: k is less than 1.
    """
    if k < 1:
        raise WarehouseError(f"a search for {k} products finds none", "give k of 1 or more")
    limit = k
    while True:
        hits = first(limit)
        if not fold:
            return hits[:k]
        counts = Counter((hit.locale, hit.title.casefold()) for hit in hits)
        best = {(hit.locale, hit.title.casefold()): hit for hit in reversed(hits)}
        first_ranked = sorted(best.values(), key=lambda hit: hit.rank)[:k]
        if len(first_ranked) == k or len(hits) < limit:
            return [
                replace(hit, rank=rank, same_title=counts[hit.locale, hit.title.casefold()] - 1)
                for rank, hit in enumerate(first_ranked, 1)
            ]
        limit *= 2


def explanation_of(
    row: dict[str, Any], features: dict[str, Any], by_vector: set[str], by_text: set[str]
) -> Explanation:
    """Return how a candidate got its place, from its row, its pair features and the keys that each leg found."""
    legs = ("vector", by_vector), ("text", by_text)
    found_by = tuple(leg for leg, keys in legs if row["key"] in keys)
    return Explanation(found_by, row["vector_rank"], row["text_rank"], row["cosine"], row["text_score"], features)
