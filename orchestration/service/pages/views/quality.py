"""The content of the quality page: releases, the live model's metrics with intervals, and the queries that changed most."""

from dataclasses import dataclass
from typing import Any

from orchestration.service.pages.bar_chart import Interval, intervals
from orchestration.service.pages.search_form import SearchForm
from orchestration.serving.open_release import Mode
from warehouse import home_format
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.operations.rollback import unservable_reason
from warehouse.serving.release_log import Release

METRICS = ("ndcg", "recall@10", "recall@100", "mrr")
RANKERS = ("ranked", "model", "text", "encoder", "bm25", "random", "previous")
PAIRS = (("ranked", "model"), ("ranked", "bm25"), ("ranked", "text"), ("model", "encoder"))
"""The rankers whose queries can be compared: the first one with the second one."""

_MODES: dict[str, Mode] = {"ranked": "ranked", "text": "text", "bm25": "text", "encoder": "encoder"}
_MOST_RELEASES = 50
_MOST_QUERIES = 15  # of each kind
_MEASURED = """
    SELECT ranker, metric, value, low, high, queries
    FROM evaluation.metrics
    WHERE model_id = ? AND locale = 'all' AND slice = 'all'
"""
_KNOWN_ITEMS = """
    SELECT ranker, metric, value, queries
    FROM evaluation.known_items
    WHERE model_id = ? AND locale = 'all'
    ORDER BY metric, ranker
"""
_CHANGED = """
    WITH compared AS (
        SELECT
            better.locale,
            better.query,
            better.ndcg AS after,
            worse.ndcg AS before,
            better.ndcg - worse.ndcg AS difference,
            better.judgements
        FROM evaluation.queries AS better
        JOIN evaluation.queries AS worse USING (model_id, locale, query_id)
        WHERE model_id = $model_id AND better.ranker = $better AND worse.ranker = $worse AND better.ndcg <> worse.ndcg
    )
    SELECT *
    FROM compared
    QUALIFY row_number() OVER (PARTITION BY difference > 0 ORDER BY abs(difference) DESC, locale, query) <= $most
    ORDER BY abs(difference) DESC, locale, query
"""


@dataclass(frozen=True)
class Published:
    """Show a release: whether it is live, and which part of it was deleted, if any."""

    release: Release
    is_live: bool
    gone: str | None


@dataclass(frozen=True)
class Lead:
    """Show a difference between two rankers: its name, metric, value and 95 % interval, and where the interval is drawn."""

    name: str
    metric: str
    value: float
    low: float | None
    high: float | None
    queries: int
    place: Interval | None


@dataclass(frozen=True)
class Changed:
    """Show a query whose nDCG one ranker changed, and the address of its comparison."""

    query: str
    locale: str
    before: float
    after: float
    difference: float
    judgements: int
    address: str


@dataclass(frozen=True)
class Quality:
    """Show the quality of the live release.

    Attributes:
        releases: the releases, newest first.
        values: metric values of the live model by ranker and metric.
        queries: number of test queries in them.
        leads: the differences between rankers.
        known_items: metrics of searches for known products, where no test query is judged.
        gate: what the gate decided about the live model; None: it is not recorded.
        improved: the queries that the first ranker improves most over the second one.
        harmed: the queries that it harms most.
    """

    releases: list[Published]
    values: dict[str, dict[str, float]]
    queries: int
    leads: list[Lead]
    known_items: list[dict[str, Any]]
    gate: dict[str, Any] | None
    improved: list[Changed]
    harmed: list[Changed]

    @property
    def has_intervals(self) -> bool:
        """Tell whether the test queries suffice for the interval of some difference."""
        return any(lead.place is not None for lead in self.leads)


def pair_of(name: str | None) -> tuple[str, str]:
    """Return the two rankers that an address names, as ranked-model.

    Raises:
        WarehouseError: The queries of these two are not compared.
    """
    pairs = {"-".join(pair): pair for pair in PAIRS}
    if name and name not in pairs:
        raise WarehouseError(f"{name[:40]!r} are no two rankers", f"choose one of {', '.join(pairs)}")
    return pairs[name] if name else PAIRS[0]


def quality(home: Home, live: Release, pair: tuple[str, str]) -> Quality:
    """Return the quality of the live release, from the lake at its snapshot.

    Raises:
        WarehouseError: The lake no longer has the snapshot.
    """
    newest = home.releases.all()[::-1][:_MOST_RELEASES]
    with home.lake.reading(live.snapshot) as connection, home_format.reading(home.root):

        def rows(table: str, sql: str, values: Any) -> list[dict[str, Any]]:
            return connection.execute(sql, values).pl().to_dicts() if tables.exists(connection, table) else []

        measured = rows("evaluation.metrics", _MEASURED, [live.model_id])
        known = rows("evaluation.known_items", _KNOWN_ITEMS, [live.model_id])
        decided = rows("evaluation.gate", "FROM evaluation.gate WHERE model_id = ?", [live.model_id])
        better, worse = pair
        options = {"model_id": live.model_id, "better": better, "worse": worse, "most": _MOST_QUERIES}
        changed = [_changed(row, pair) for row in rows("evaluation.queries", _CHANGED, options)]
    values: dict[str, dict[str, float]] = {}
    for row in measured:
        if row["ranker"] in RANKERS and row["value"] is not None:
            values.setdefault(row["ranker"], {})[row["metric"]] = row["value"]
    return Quality(
        [Published(each, each.release == newest[0].release, unservable_reason(home, each)) for each in newest],
        {ranker: values[ranker] for ranker in RANKERS if ranker in values},
        max((row["queries"] for row in measured), default=0),
        _leads(measured),
        known,
        decided[-1] if decided else None,
        [each for each in changed if each.difference > 0],
        [each for each in changed if each.difference < 0],
    )


def _leads(measured: list[dict[str, Any]]) -> list[Lead]:
    own = [
        row for row in measured if "_minus_" in row["ranker"] and row["metric"] in METRICS and row["value"] is not None
    ]
    own.sort(key=lambda row: (row["ranker"].replace("ranked", ""), METRICS.index(row["metric"])))
    drawn = [row for row in own if row["low"] is not None and row["high"] is not None]
    places = dict(
        zip(
            [(row["ranker"], row["metric"]) for row in drawn],
            intervals([(row["low"], row["value"], row["high"]) for row in drawn]),
            strict=True,
        )
    )
    return [
        Lead(
            row["ranker"].replace("_minus_", " against "),
            row["metric"],
            row["value"],
            row["low"],
            row["high"],
            row["queries"],
            places.get((row["ranker"], row["metric"])),
        )
        for row in own
    ]


def _changed(row: dict[str, Any], pair: tuple[str, str]) -> Changed:
    better, worse = (_MODES.get(ranker, "vector") for ranker in pair)
    form = SearchForm(row["query"], row["locale"], left=worse, right=better if better != worse else "ranked")
    values = {name: row[name] for name in ("query", "locale", "before", "after", "difference", "judgements")}
    return Changed(**values, address=form.address("/compare"))
