import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.features import drift as monitoring
from warehouse.features import feature_statistics
from warehouse.lake import tables
from warehouse.lake.lake import Lake
from warehouse.settings import MonitoringSettings, WarehouseSettings

QUERIES = CONTRACTS["features.queries"]
SETTINGS = MonitoringSettings(bins=4, top_values=2, drift_min_rows=4)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", WarehouseSettings(threads=1))


def rows(words: list[int], locale: str = "us") -> list[dict[str, Any]]:
    return [
        {
            "key": f"{locale}:{number}",
            "locale": locale,
            "query_chars": 5,
            "query_words": count,
            "query_numbers": 0,
            "has_negation": count > 3,
        }
        for number, count in enumerate(words)
    ]


def fill(lake: Lake, *parts: list[dict[str, Any]]) -> pl.DataFrame:
    frame = pl.DataFrame([row for part in parts for row in part])
    frame = frame.select(frame[name] if name in frame.columns else pl.lit(None).alias(name) for name in QUERIES.columns)
    with lake.writing() as connection:
        tables.refresh_from(connection, QUERIES, frame)
        return feature_statistics.record(connection, QUERIES, SETTINGS)


def column(stats: pl.DataFrame, name: str, locale: str = "all") -> dict[str, Any]:
    return stats.row(by_predicate=(pl.col("column_name") == name) & (pl.col("locale") == locale), named=True)


def newest(lake: Lake) -> str:
    with lake.reading() as connection:
        return feature_statistics.versions(connection, QUERIES.table)[-1]


def test_numbers_are_counted_by_locale_and_in_all(lake: Lake) -> None:
    stats = fill(lake, rows([1, 2, 3, 4]), rows([10], "jp"))
    overall, us = column(stats, "query_words"), column(stats, "query_words", "us")
    assert (overall["rows"], overall["mean"], overall["minimum"], overall["maximum"]) == (5, 4.0, 1.0, 10.0)
    assert overall["deviation"] == pytest.approx(math.sqrt((9 + 4 + 1 + 0 + 36) / 4))
    assert (us["q01"], us["q25"], us["q50"], us["q75"], us["q99"]) == (1.0, 1.0, 2.0, 3.0, 4.0)
    assert (us["rows"], us["distinct_count"], us["null_share"]) == (4, 4, 0.0)


def test_a_locale_may_be_a_language_tag(lake: Lake) -> None:
    stats = fill(lake, rows([1, 3], "en-us"), rows([10], "zh-hant-tw"))
    assert column(stats, "query_words", "en-us")["mean"] == 2.0
    assert column(stats, "query_words", "zh-hant-tw")["rows"] == 1


def test_missing_values_are_a_share_and_flags_are_counted(lake: Lake) -> None:
    given = rows([1, 4, 4, 4])
    given[0]["has_negation"] = None
    stats = fill(lake, given)
    flag = column(stats, "has_negation")
    assert (flag["kind"], flag["null_share"], flag["mean"], flag["distinct_count"]) == ("flag", 0.25, 1.0, 1)
    assert json.loads(flag["top_values"]) == [{"value": "true", "rows": 3}]
    assert json.loads(flag["bins"]) == [{"bin": "= true", "share": 0.75}, {"bin": "missing", "share": 0.25}]


def test_categories_beyond_the_most_frequent_are_other(lake: Lake) -> None:
    stats = fill(lake, rows([1, 2, 3], "us"), rows([1, 2], "es"), rows([1], "jp"))
    locale = column(stats, "locale")
    assert json.loads(locale["top_values"]) == [{"value": "us", "rows": 3}, {"value": "es", "rows": 2}]
    assert {one["bin"]: one["share"] for one in json.loads(locale["bins"])} == {
        "= us": 0.5,
        "= es": pytest.approx(1 / 3),
        "other": pytest.approx(1 / 6),
    }
    assert locale["mean"] is None


def test_a_version_is_known_by_its_content_and_written_once(lake: Lake) -> None:
    first = fill(lake, rows([1, 2]))
    snapshot = lake.snapshot()
    assert fill(lake, rows([1, 2])).equals(first)
    assert lake.snapshot() == snapshot
    fill(lake, rows([7, 8]))
    fill(lake, rows([1, 2]))
    with lake.reading() as connection:
        history = feature_statistics.versions(connection, QUERIES.table)
        counted = connection.execute("SELECT count(DISTINCT version) FROM monitoring.feature_stats").fetchone()
        since = [row[0] for row in connection.execute("SELECT since_snapshot FROM monitoring.versions").fetchall()]
    assert history == [history[0], history[1], history[0]]
    assert counted == (2,)
    assert since[0] == snapshot
    assert since[2] == lake.snapshot()


def test_drift_is_the_population_stability_index_over_the_references_bins(lake: Lake) -> None:
    fill(lake, rows([1, 1, 2, 2, 3, 3, 4, 4]))
    fill(lake, rows([1, 2, 3, 4, 4, 4, 4, 4]))
    assert monitoring.measure_drift(lake, {}) == 1
    drift = monitoring.drift(lake, [])
    words = column(drift, "query_words")
    before, now = [0.25, 0.25, 0.25, 0.25], [0.125, 0.125, 0.125, 0.625]
    assert words["psi"] == pytest.approx(sum((q - p) * math.log(q / p) for p, q in zip(before, now, strict=True)))
    assert [one["share"] for one in json.loads(words["bins"])] == now
    assert column(drift, "query_chars")["psi"] == 0


@pytest.mark.parametrize("now", [[0] * 8, [9] * 8, [None] * 8])
def test_values_that_the_reference_never_had_are_drift(lake: Lake, now: list[Any]) -> None:
    fill(lake, rows([5] * 8))
    given = rows([5] * 8)
    for row, words in zip(given, now, strict=True):
        row["query_words"] = words
    fill(lake, given)
    monitoring.measure_drift(lake, {})
    words = column(monitoring.drift(lake, []), "query_words")
    assert words["psi"] == pytest.approx(2 * (1 - 0.0001) * math.log(1 / 0.0001))


def test_drift_is_measured_against_the_versions_that_models_were_trained_on(lake: Lake) -> None:
    fill(lake, rows([1, 2, 3, 4]))
    trained = {QUERIES.table: newest(lake)}
    fill(lake, rows([1, 2, 3, 5]))
    fill(lake, rows([9, 9, 9, 9]))
    models = {"old": trained, "new": {QUERIES.table: newest(lake)}, "unknown": {}}
    assert monitoring.measure_drift(lake, models) == 2  # the new model saw what is there: nothing to compare
    snapshot = lake.snapshot()
    assert monitoring.measure_drift(lake, models) == 0
    assert lake.snapshot() == snapshot
    drift_rows = monitoring.drift(lake, ["old"]).filter(column_name="query_words", locale="all")
    assert sorted(drift_rows.select("reference", "model_id").rows()) == [("previous", None), ("training", "old")]
    assert monitoring.drift(lake, ["new"])["reference"].unique().to_list() == ["previous"]


def test_few_rows_are_not_reported_as_drift() -> None:
    drift = pl.DataFrame({"rows": [3, 4, 4], "reference_rows": [9, 9, 3], "psi": [1.0, 1.0, 1.0]})
    assert monitoring.drifted(drift, SETTINGS, 0.25).rows() == [(4, 9, 1.0)]
    assert monitoring.drifted(drift, SETTINGS, 1.5).is_empty()
