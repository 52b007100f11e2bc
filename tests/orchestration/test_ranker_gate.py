"""A bad ranker and a damaged text index go live nowhere: searches answer as before."""

import json
from dataclasses import replace

import polars as pl
import pytest

from assets.evaluation.evaluation_tables import summary
from assets.ranking import ranker_training as ranking
from models.ranking.ordering import Ordering
from orchestration.commands.build import build
from orchestration.commands.replay import replay
from orchestration.config.open_context import open_run_context
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.features import datasets

QUERIES = ("black tent", "funda para portátil", "ノートパソコン ケース")


def _hits(settings):
    searcher = Searcher(open_home(settings), settings.encoder)
    return {query: [hit.to_dict() for hit in searcher.search(query, 20)] for query in QUERIES}


def test_a_bad_ranker_is_refused(copy_home, monkeypatch):
    """It orders by the words, the worst fit first."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    settings = load_settings(copy_home())
    run_context = open_run_context(settings)
    before, live = _hits(settings), run_context.home.releases.live()
    before_relevance = summary(datasets.metrics(run_context.home.lake, live.model_id))
    choose = ranking.choose
    monkeypatch.setattr(
        ranking,
        "choose",
        lambda *arguments, **options: replace(choose(*arguments, **options), ordering=Ordering("weighted", -50.0)),
    )
    monkeypatch.setenv("STOCKROOM_RANKING__CANDIDATES", "90")  # so that it is another ranker
    report = build(open_run_context(load_settings(run_context.home.root)))
    assert report.gate["decision"] == "refused"
    assert report.gate["model_id"] == report.gate["live_model_id"] == live.model_id
    assert report.gate["ranker_id"] != report.gate["live_ranker_id"] == live.ranker_id
    assert report.gate["ranker_id"] in report.gate["reason"]
    assert not report.new_release
    assert _hits(settings) == before
    assert report.relevance == before_relevance  # of the ranker that is live


def test_words_in_the_wrong_rows_stop_a_run_and_a_replay_makes_them_right(copy_home, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    settings = load_settings(copy_home())
    run_context = open_run_context(settings)
    home, before = run_context.home, _hits(settings)
    rows = home.texts.read(home.texts.version())
    hashes = home.texts.current()
    shuffled = rows.with_columns(pl.col("title_words", "body_words").shuffle(seed=1)).join(hashes, on="key")
    home.texts.apply([shuffled], [])
    with pytest.raises(WarehouseError, match="words_are_those_of_the_catalog"):
        build(run_context)
    assert _hits(settings) == before
    replay(run_context)
    fresh = open_home(settings)
    assert fresh.texts.read(fresh.texts.version()).equals(rows)
    assert json.dumps(_hits(settings)) == json.dumps(before)
