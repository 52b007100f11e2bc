"""What a shop decides by hand: rules handed to an apply change the searches of its release, and no other."""

import json
from types import SimpleNamespace

import pytest

from orchestration.commands.apply import apply
from orchestration.commands.rollback import roll_back
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.serving.rule_application import QueryRules, Synonym
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.transform.words import query_words

HEADER = "rule,query,locale,product,condition,value\n"
QUERY = "black tent"


def write(folder, *lines):
    path = folder / "search_rules.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def shop(copy_home, tmp_path_factory):
    """Apply a file of rules to a copied home; `plain` are the first hits of the release before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        run_context = open_run_context(load_settings(copy_home()))
        home, encoder = run_context.home, run_context.encoder
        before = Searcher(home, encoder)
        plain = before.search(QUERY, 20, "us", fold=False)
        last = before.search("headphones", 1_000, "us", fold=False)[-1]
        with home.lake.reading() as connection:
            frequent = connection.sql(
                "SELECT word FROM fitted.words WHERE locale = 'us' AND products BETWEEN 3 AND 20 ORDER BY products DESC, word"
            ).fetchall()
        word = next(word for (word,) in frequent if query_words(word, "us") == [word])
        path = write(
            tmp_path_factory.mktemp("rules"),
            f"pin,Black TENTS,,{last.key},,2",
            f"hide,{QUERY},,{plain[0].key},,",
            f"boost,{QUERY},,{plain[9].key},,5",
            f"hide,,us,{plain[3].key},,",
            f"pin,{QUERY},,us:NONE,,1",
            f"synonym,zzyzx,us,,,{word}",
        )
        report = apply(run_context, [path])
        yield SimpleNamespace(
            run_context=run_context,
            home=home,
            encoder=encoder,
            plain=plain,
            last=last,
            word=word,
            before=before,
            report=report,
            path=path,
            searcher=Searcher(home, encoder),
        )


def test_the_rules_hide_move_and_pin(shop):
    plain, hits = [hit.key for hit in shop.plain], shop.searcher.search(QUERY, 10, "us", fold=False)
    ranked = [key for key in plain if key not in (plain[0], plain[3])]
    boosted = ranked.pop(7)  # of rank 8 without the hidden ones, divided by 5
    expected = [ranked[0], shop.last.key, boosted, *ranked[1:]]
    assert [hit.key for hit in hits] == expected[:10]
    assert [hit.rank for hit in hits] == list(range(1, 11))


def test_without_rules_a_search_is_the_one_of_the_release_before(shop):
    assert shop.searcher.search(QUERY, 20, "us", fold=False, rules=False) == shop.plain


def test_another_query_meets_only_the_rules_for_every_query(shop):
    hits = shop.searcher.search("tent", 1_000, "us", fold=False)
    others = shop.searcher.search("tent", 1_000, "us", fold=False, rules=False)
    assert [hit.key for hit in hits] == [hit.key for hit in others if hit.key != shop.plain[3].key]


@pytest.mark.parametrize("mode", ["ranked", "vector"])
def test_k_products_come_if_k_are_left(shop, mode):
    every = shop.searcher.search(QUERY, 1_000, "us", fold=False, rules=False, mode=mode)
    hits = shop.searcher.search(QUERY, len(every) - 2, "us", fold=False, mode=mode)
    assert {hit.key for hit in hits} == {hit.key for hit in every} - {shop.plain[0].key, shop.plain[3].key}


def test_a_filter_and_folded_titles_go_on_working(shop):
    keys = f"'{shop.plain[0].key}', '{shop.plain[1].key}', '{shop.plain[9].key}'"
    hits = shop.searcher.search(QUERY, 5, "us", where=f"key IN ({keys})")
    assert {hit.key for hit in hits} == {shop.plain[1].key, shop.plain[9].key}  # neither the hidden nor the pinned one
    titles = [(hit.locale, hit.title.casefold()) for hit in shop.searcher.search(QUERY, 1_000, "us")]
    assert len(titles) == len(set(titles))


def test_a_hit_and_the_query_tell_of_the_rules(shop):
    hits = shop.searcher.search(QUERY, 10, "us", fold=False, explain=True)
    assert {hit.key: hit.rules for hit in hits if hit.rules} == {
        shop.last.key: ("pinned to 2 by search_rules.csv:2",),
        shop.plain[9].key: ("boosted 5x by search_rules.csv:4",),
    }
    assert hits[1].to_dict()["rules"] == ("pinned to 2 by search_rules.csv:2",)
    assert list(shop.searcher.answer(QUERY, locale="us").rules) == [
        "hidden: 1 product by search_rules.csv:3",
        "hidden: 1 product by search_rules.csv:5",
    ]
    assert (
        shop.searcher.answer("zzyzx tents", locale="us").rules[0]
        == f"also searched for {shop.word!r} by search_rules.csv:7"
    )
    assert shop.searcher.answer(QUERY, locale="us", rules=False).rules == ()


def test_a_synonym_finds_what_its_words_find(shop):
    assert shop.searcher.search("zzyzx", 5, "us", mode="text", rules=False) == []
    hits = shop.searcher.search("zzyzx", 5, "us", mode="text", explain=True)
    assert [hit.key for hit in hits] == [hit.key for hit in shop.searcher.search(shop.word, 5, "us", mode="text")]
    assert {hit.explanation.features["matched_weight"] for hit in hits} == {1.0}
    assert len(hits) >= 2


def test_similar_products_are_without_those_hidden_for_every_query(shop):
    keys = [hit.key for hit in shop.searcher.similar(shop.plain[4].key, 1_000, fold=False)]
    others = [hit.key for hit in shop.before.similar(shop.plain[4].key, 1_000, fold=False)]
    assert keys == [key for key in others if key != shop.plain[3].key]


def test_an_apply_of_rules_encodes_nothing_and_publishes_a_release(shop):
    live = shop.home.releases.live()
    assert (live.kind, live.rules, live.vector_version) == ("catalog", 5, shop.before.release.vector_version)
    assert shop.report.run.texts_encoded == 0
    assert shop.report.search_rules["inserted"] == 6
    assert [(each["rule"], each["keys"]) for each in shop.report.quarantined] == [
        ("unknown_product", ["search_rules.csv:6"])
    ]


def test_the_same_file_again_changes_nothing(shop):
    before = shop.home.releases.live()
    assert not apply(shop.run_context, [shop.path]).changed
    assert shop.home.releases.live() == before


def test_the_command_shows_the_rules(shop, stockroom):
    answer = stockroom("search", QUERY, "--locale", "us", "--all", "--explain", "--home", shop.home.root).out
    assert "pinned to 2 by search_rules.csv:2" in answer
    assert "hidden: 1 product by search_rules.csv:3" in answer
    hits = json.loads(
        stockroom("search", QUERY, "--locale", "us", "--all", "--json", "--no-rules", "--home", shop.home.root).out
    )
    assert [hit["key"] for hit in hits] == [hit.key for hit in shop.plain[:10]]


def test_a_rollback_gives_the_rules_of_the_release_back(shop, tmp_path):
    run_context, home = shop.run_context, shop.home
    with_rules = shop.searcher.search(QUERY, 10, "us")
    apply(run_context, [write(tmp_path, f"hide,{QUERY},,{shop.plain[1].key},,")])
    assert Searcher(home, shop.encoder).search(QUERY, 1, "us") != with_rules[:1]
    roll_back(home, shop.encoder)
    assert Searcher(home, shop.encoder).search(QUERY, 10, "us") == with_rules
    assert shop.before.search(QUERY, 20, "us", fold=False) == shop.plain


def test_a_file_of_which_every_line_is_wrong_is_refused(shop, tmp_path):
    before = shop.home.lake.snapshot()
    with pytest.raises(WarehouseError, match="every line breaks a rule"):
        apply(shop.run_context, [write(tmp_path, "pin,tent,,us:P1,,first")])
    assert shop.home.lake.snapshot() == before


def test_other_words_stand_in_the_place_of_the_query_s():
    rules = QueryRules(synonyms=(Synonym("us", "search_rules.csv:2", ["red", "sofa"], ["couch"], "couch"),))
    assert rules.wordings({"us": ["big", "red", "sofa", "bed"], "es": ["x"]}) == [
        {"us": ["big", "red", "sofa", "bed"], "es": ["x"]},
        {"us": ["big", "couch", "bed"], "es": ["x"]},
    ]
    assert QueryRules().wordings({"us": ["sofa"]}) == [{"us": ["sofa"]}]
