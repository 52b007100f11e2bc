"""Searches, lookups, applies and builds before, during and after a rollback."""

import json
import shutil
from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchestration.commands.apply import apply
from orchestration.commands.build import build
from orchestration.commands.diff_releases import diff_releases
from orchestration.commands.rollback import roll_back
from orchestration.config.open_context import open_run_context
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.hits import Hit
from orchestration.serving.lookup import Lookup
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.operations import consistency

QUERY = "velvet accordion"


@dataclass(frozen=True)
class HomeState:
    """The answers of the home at one moment: the live release, a search, a lookup and a search of an open searcher."""

    release: Any
    hits: Any
    features: Any
    open_searcher: Any


@pytest.fixture(scope="module")
def story(copy_home, tmp_path_factory):
    """Apply, roll back, apply the same and a new file, build, roll back, build: return the state and report of each step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        run_context = open_run_context(load_settings(copy_home()))
        home, folder = run_context.home, tmp_path_factory.mktemp("deltas")
        with home.lake.reading() as connection:
            key, identifier = connection.sql(
                "SELECT key, product_id FROM raw.products WHERE product_locale = 'us' ORDER BY key LIMIT 1"
            ).fetchone()
        monday, tuesday = folder / "monday.jsonl", folder / "tuesday.jsonl"
        rows = [
            {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Velvet accordion"},
            {"op": "upsert", "product_locale": "us", "product_id": identifier, "product_title": "Velvet drum"},
        ]
        monday.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        tuesday.write_text(json.dumps(rows[0] | {"product_id": "N2"}), encoding="utf-8")
        searcher = Searcher(open_home(load_settings(home.root)), run_context.encoder)

        def look():
            live = home.releases.live()
            hits = Searcher(home, run_context.encoder).search(QUERY, 5, fold=False)
            return HomeState(
                live, hits, Lookup(home).products([key]), (searcher.release, searcher.search(QUERY, 5, fold=False))
            )

        answers, reports = {"built": look()}, {}
        reports["applied"] = apply(run_context, [monday])
        answers["applied"] = look()
        searcher.refresh()
        reports["back"] = roll_back(home, run_context.encoder)
        answers["back"] = look()
        searcher.refresh()
        reports["applied again"] = apply(run_context, [monday])
        answers["applied again"] = look()
        reports["on"] = apply(run_context, [tuesday])
        answers["on"] = look()
        searcher.refresh()
        answers["refreshed"] = look()
        reports["let in"] = build(run_context)
        reports["back from the model"] = roll_back(home, run_context.encoder)
        reports["demoted"] = build(run_context)
        yield run_context, answers, reports


def test_a_rollback_answers_to_the_bit_as_the_release_did(story):
    _, answers, reports = story
    live = answers["back"].release
    assert (live.release, live.kind, live.note) == (3, "rollback", "back to release 1")
    assert live.serves_as(answers["built"].release)
    assert (reports["back"].before, reports["back"].back_to) == (answers["applied"].release, answers["built"].release)
    assert answers["applied"].hits != answers["built"].hits
    assert answers["back"].hits == answers["built"].hits
    assert answers["applied"].features != answers["built"].features
    assert answers["back"].features == answers["built"].features


def test_an_open_searcher_moves_on_when_it_is_refreshed_and_not_before(story):
    _, answers, _ = story
    assert answers["applied"].open_searcher == (answers["built"].release, answers["built"].hits)
    assert answers["back"].open_searcher == (answers["applied"].release, answers["applied"].hits)
    assert answers["on"].open_searcher == (answers["back"].release, answers["built"].hits)
    assert answers["refreshed"].open_searcher == (answers["on"].release, answers["on"].hits)


def test_an_apply_without_changes_keeps_a_rollback(story):
    _, answers, reports = story
    assert reports["applied again"].run is None
    assert replace(answers["applied again"], open_searcher=None) == replace(answers["back"], open_searcher=None)


def test_after_a_rollback_the_current_catalog_is_published_under_the_restored_model(story):
    run_context, answers, reports = story
    live, before = answers["on"].release, answers["back"].release
    assert (live.release, live.kind, live.model_id) == (4, "catalog", before.model_id)
    assert live.snapshot == reports["on"].snapshot
    assert [hit.key for hit in answers["on"].hits[:2]] == ["us:N1", "us:N2"]  # Monday's is there: it is in the lake
    assert reports["on"].run.texts_encoded == 0
    assert answers["on"].features == answers["applied"].features
    assert consistency.key_differences(run_context.home, live) == (0, 0)


def test_a_demoted_model_is_refused(story):
    _, answers, reports = story
    let_in, demoted = reports["let in"], reports["demoted"]
    assert (let_in.gate["decision"], let_in.release, let_in.new_release) == ("passed", 5, True)
    assert reports["back from the model"].live.serves_as(answers["on"].release)
    assert demoted.gate["decision"] == "refused"
    assert demoted.gate["model_id"] == let_in.model
    assert demoted.gate["low"] > -demoted.gate["margin"]  # what was measured would have let it in
    assert "the model was live before, and release 6 rolled it back (back to release 4)" in demoted.gate["reason"]
    assert (demoted.release, demoted.new_release) == (6, False)
    (warning,) = demoted.warnings
    assert warning.startswith("release 6 stays live: it is a rollback from release 5 (back to release 4)")


def test_the_list_is_newest_first_and_shows_the_live_release(story, stockroom):
    run_context, answers, _ = story
    listed = json.loads(stockroom("releases", "--json", "--home", run_context.home.root).out)
    assert [(row["release"], row["kind"], row["live"]) for row in listed] == [
        (6, "rollback", True),
        (5, "model", False),
        (4, "catalog", False),
        (3, "rollback", False),
        (2, "catalog", False),
        (1, "model", False),
    ]
    assert {row["gone"] for row in listed} == {None}
    assert listed[-1]["metrics"] == json.loads(answers["built"].release.metrics)
    output = stockroom("releases", "--limit", "2", "--home", run_context.home.root).out
    assert [line.split()[0] for line in output.splitlines() if not line.startswith(" ")] == ["6", "5"]
    assert "rollback  live" in output
    assert "    back to release 4\n" in output


@pytest.mark.slow
def test_two_releases_are_compared_by_products_and_by_answers(story, stockroom):
    run_context, *_ = story
    home = run_context.home.root
    report = json.loads(
        stockroom("releases", "diff", "1", "4", "-k", "5", "--queries", "30", "--json", "--home", home).out
    )
    assert report["products"] == {"added": 2, "removed": 0, "changed": 1}
    assert 0 < report["queries"] <= 30
    assert 0 < report["overlap"] <= 1
    assert report["model"]["a"] == report["model"]["b"]
    again = diff_releases(run_context.home, run_context.encoder, 4, 1, k=5, queries=30)
    assert (again.overlap, again.same) == (report["overlap"], report["same"])
    assert again.products == {"added": 0, "removed": 2, "changed": 1}
    assert [row.only_a for row in again.most_changed] == [row["only_b"] for row in report["most_changed"]]
    assert "products     0 added, 0 removed, 0 changed" in stockroom("releases", "diff", "1", "3", "--home", home).out


def test_a_release_is_as_it_is_itself(story):
    run_context, *_ = story
    same = diff_releases(run_context.home, run_context.encoder, 1, 3, queries=10)
    assert (same.overlap, same.same, same.most_changed, same.metrics) == (1, same.queries, [], {})


def test_the_overlap_is_the_share_of_products_in_both_lists(story, monkeypatch):
    run_context, *_ = story
    lists = {1: ["a", "b", "c", "d"], 4: ["d", "e", "b", "f"]}

    def answer(self, _query, k, _locale):
        return [Hit(1, key, key, "us", "", 1.0) for key in lists[self.release.release][:k]]

    monkeypatch.setattr(Searcher, "search", answer)
    report = diff_releases(run_context.home, run_context.encoder, 1, 4, k=4, queries=3)
    assert (report.queries, report.overlap, report.same) == (3, 0.5, 0)
    assert (report.most_changed[0].only_a, report.most_changed[0].only_b) == (["a", "c"], ["e", "f"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rollback", "9"), "release 9 does not exist; choose a release from 1 to 6"),
        (("rollback", "4"), "searches use release 4 already"),
        (("releases", "diff", "1", "9"), "release 9 does not exist"),
    ],
)
def test_an_unservable_target_of_a_rollback_is_named(story, stockroom, arguments, message):
    run_context, *_ = story
    before = run_context.home.releases.all()
    answer = stockroom(*arguments, "--home", run_context.home.root)
    assert answer.status == 1
    assert message in answer.err
    assert run_context.home.releases.all() == before


def test_a_release_whose_model_is_gone_cannot_come_back(story, stockroom):
    run_context, answers, _ = story
    home, hidden = run_context.home, run_context.home.root / "hidden"
    before = home.releases.all()
    model = home.models / answers["built"].release.model_id
    shutil.move(model, hidden)
    try:
        answer = stockroom("rollback", "1", "--home", home.root)
        listed = json.loads(stockroom("releases", "--json", "--home", home.root).out)
    finally:
        shutil.move(hidden, model)
    assert answer.status == 1
    assert f"release 1 cannot be restored: its model {model.name} is gone" in answer.err
    assert {row["release"] for row in listed if row["gone"]} == {1, 2, 3, 4, 6}
    assert listed[0]["gone"] == f"its model {model.name} is gone"
    assert home.releases.all() == before


def test_the_command_goes_back_one_at_a_time_and_forward_by_number(story, stockroom):
    run_context, answers, _ = story
    home = run_context.home
    done = json.loads(stockroom("rollback", "--json", "--home", home.root).out)
    assert (done["release"], done["before"], done["back_to"]) == (7, 6, 1)  # before 4 it was 3, which was 1
    answer = stockroom("rollback", "--home", home.root)
    assert (answer.status, home.releases.live().release) == (1, 7)
    assert "no other release was live before release 1" in answer.err
    assert "8: back to release 2" in stockroom("rollback", "2", "--home", home.root).out
    assert home.releases.live().serves_as(answers["applied"].release)


def test_a_home_without_a_release_has_nothing_to_go_back_to(stockroom, tmp_path):
    for command in ("rollback", "releases"):
        answer = stockroom(command, "--home", tmp_path / "home")
        assert (answer.status, "no data in" in answer.err) == (1, True)
    assert not (tmp_path / "home").exists()


def test_features_that_were_lost_come_back_with_the_release(story):
    run_context, answers, _ = story
    home = run_context.home
    for path in home.root.glob("online.sqlite*"):
        path.unlink()
    fresh = open_home(load_settings(home.root))
    live = roll_back(fresh, run_context.encoder, 1).live
    key = answers["built"].features[0]["key"]
    assert Lookup(fresh).products([key]) == answers["built"].features
    with pytest.raises(WarehouseError, match="has no features as of snapshot"):
        fresh.online.rows("product", answers["applied"].release.snapshot, [key])
    assert live.kind == "rollback"
