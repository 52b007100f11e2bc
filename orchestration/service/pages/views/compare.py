"""The content of the comparison: two ways to search side by side, and the judged products of the query by every ranker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.service.pages.judged_labels import labels_of_query
from orchestration.service.pages.release_facts import ReleaseFacts
from orchestration.service.pages.search_form import SearchForm
from orchestration.service.pages.views.search import Row, rows_of
from orchestration.serving.hits import Hit
from orchestration.serving.open_release import Mode
from orchestration.serving.searcher import Searcher
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.serving.release_log import Release

SIDE_HITS = 20
MODE_NAMES: Mapping[Mode, str] = {
    "ranked": "Ranked",
    "vector": "Vector alone",
    "text": "Words alone",
    "encoder": "Encoder alone",
}
RANKERS = ("ranked", "text", "model", "encoder", "bm25")
_RANKS = f"""
    SELECT
        rankings.locale || ':' || rankings.product_id AS key,
        products.title,
        rankings.label,
        {", ".join(f"rankings.{ranker}_catalog_rank AS {ranker}" for ranker in RANKERS)}
    FROM evaluation.rankings AS rankings
    LEFT JOIN staging.products AS products
        ON products.locale = rankings.locale AND products.product_id = rankings.product_id
    WHERE rankings.model_id = $model_id AND lower(rankings.query) = lower($query)
        AND ($locale IS NULL OR rankings.locale = $locale)
    ORDER BY ranked NULLS LAST, model, key
    LIMIT 200
"""


@dataclass(frozen=True)
class Placed:
    """Show a hit beside its place on the other side.

    Attributes:
        row: the hit.
        other: its rank on the other side; None: it is not among the hits there.
        change: number of places by which it stands higher here than on the other side.
    """

    row: Row
    other: int | None
    change: int


@dataclass(frozen=True)
class Comparison:
    """Show two ways to search.

    Attributes:
        sides: the name of each way, and its hits.
        shared: number of products that both sides show.
        judged: the judged products of the query with their rank in the catalog by every ranker, from the evaluation.
    """

    sides: list[tuple[str, list[Placed]]]
    shared: int
    judged: list[dict[str, Any]]


def comparison(home: Home, searcher: Searcher, facts: ReleaseFacts, form: SearchForm) -> Comparison:
    """Return the first 20 hits of two ways to search, and where the judged products of the query are.

    Raises:
        WarehouseError: The search refuses the query, its locale or its filter.
    """
    left, right = (
        searcher.search(form.query, SIDE_HITS, form.locale, where=form.condition, mode=mode, explain=True)
        for mode in (form.left, form.right)
    )
    labels = labels_of_query(home, searcher.release, form.query, form.locale)
    side_rows = [
        _placed(rows_of(home, searcher.release, facts, own, labels, (form.query,)), other)
        for own, other in ((left, right), (right, left))
    ]
    return Comparison(
        [(MODE_NAMES[mode], side) for mode, side in zip((form.left, form.right), side_rows, strict=True)],
        len({hit.key for hit in left} & {hit.key for hit in right}),
        _judged(home, searcher.release, form),
    )


def _placed(rows: Sequence[Row], others: Sequence[Hit]) -> list[Placed]:
    ranks = {hit.key: hit.rank for hit in others}
    return [Placed(row, other := ranks.get(row.hit.key), 0 if other is None else other - row.hit.rank) for row in rows]


def _judged(home: Home, release: Release, form: SearchForm) -> list[dict[str, Any]]:
    with home.lake.reading(release.snapshot) as connection:
        if not tables.exists(connection, "evaluation.rankings"):
            return []
        values = {"model_id": release.model_id, "query": form.query, "locale": form.locale}
        return connection.execute(_RANKS, values).pl().to_dicts()
