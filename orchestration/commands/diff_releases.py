"""The release diff: how two releases differ in answers to the same queries, metrics and products."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from models.settings import EncoderSettings
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.home import Home
from warehouse.operations.rollback import unservable_reason
from warehouse.serving.release_log import Release

_MAX_QUERIES = 5


@dataclass(frozen=True)
class QueryDiff:
    """Hold one query with different answers: the share of common products, and the products of one side only."""

    key: str
    query: str
    overlap: float
    only_a: list[str]
    only_b: list[str]


@dataclass(frozen=True)
class ReleaseDiff:
    """Report the differences of two releases.

    Attributes:
        a: The first release, as it was published.
        b: The second release.
        k: Length of the compared lists.
        queries: Number of judged queries, each searched in its own locale.
        overlap: The mean share of the k best products that both lists have, 0 to 1; None without a judged query.
        same: Number of queries with the same list in the same order.
        most_changed: A few queries with the least overlap.
        metrics: The model's metrics at publication, where they differ: name to (a, b).
        products: Number of products that only b has (added), that only a has (removed), and that both have with other
            text or other features that the model reads (changed).
    """

    a: Release
    b: Release
    k: int
    queries: int
    overlap: float | None
    same: int
    most_changed: list[QueryDiff]
    metrics: dict[str, tuple[Any, Any]]
    products: dict[str, int]


def diff_releases(
    home: Home, encoder: EncoderSettings, a: int, b: int, *, k: int = 10, queries: int = 100, seed: int = 0
) -> ReleaseDiff:
    """Search both releases for the same judged queries, drawn by `seed`, and compare their metrics and products.

    Raises:
        WarehouseError: There is no such release, or data that it needs was cleaned up.
    """
    one, other = home.releases.get(a), home.releases.get(b)
    for release in (one, other):
        reason = unservable_reason(home, release)
        if reason is not None:
            raise WarehouseError(
                f"release {release.release} cannot be searched: {reason}",
                "compare other releases; list the releases with: stockroom releases",
            )
    sample = datasets.sampled_queries(home.lake, queries, seed, max(one.snapshot, other.snapshot)).rows()
    searcher, products, answers = Searcher(home, encoder, one), [], []
    for release in (one, other):
        searcher.move_to(release)
        columns = ["key", "locale", "input_hash", "title"]
        products.append(pl.DataFrame(home.vectors.read(release.vector_table, release.vector_version, columns)))
        locales = set(products[-1]["locale"])
        answers.append(
            [
                [hit.key for hit in searcher.search(query, k, locale)] if locale in locales else []
                for _, locale, query in sample
            ]
        )
    diffs = [_compare(key, query, *lists) for (key, _, query), *lists in zip(sample, *answers, strict=True)]
    overlaps = [each.overlap for each in diffs]
    differing = sorted((each for each in diffs if each.overlap < 1), key=lambda each: (each.overlap, each.key))
    return ReleaseDiff(
        a=one,
        b=other,
        k=k,
        queries=len(diffs),
        overlap=sum(overlaps) / len(overlaps) if overlaps else None,
        same=sum(first == second for first, second in zip(*answers, strict=True)),
        most_changed=differing[:_MAX_QUERIES],
        metrics=_changed_metrics(one, other),
        products=_products(*products),
    )


def _compare(key: str, query: str, first: list[str], second: list[str]) -> QueryDiff:
    longest = max(len(first), len(second))
    overlap = len(set(first) & set(second)) / longest if longest else 1.0
    return QueryDiff(
        key,
        query,
        overlap,
        only_a=[each for each in first if each not in second],
        only_b=[each for each in second if each not in first],
    )


def _changed_metrics(a: Release, b: Release) -> dict[str, tuple[Any, Any]]:
    first, second = (dict(_leaves(_model_metrics(each))) for each in (a, b))
    names = dict.fromkeys((*first, *second))
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}


def _model_metrics(release: Release) -> dict[str, Any]:
    metrics = json.loads(release.metrics)
    by_ranker = metrics.get("rankers") or metrics.get("systems") or {}  # the name in homes of format 2
    return dict(by_ranker.get("model", {}))


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, f"{name}.{key}" if name else key)
    else:
        yield name, value


def _products(first: pl.DataFrame, second: pl.DataFrame) -> dict[str, int]:
    both = first.join(second, on="key", suffix="_b")
    differs = (pl.col("input_hash") != pl.col("input_hash_b")) | pl.col("title").ne_missing(pl.col("title_b"))
    return {
        "added": second.join(first, on="key", how="anti").height,
        "removed": first.join(second, on="key", how="anti").height,
        "changed": both.filter(differs).height,
    }
