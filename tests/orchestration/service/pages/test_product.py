"""The page of a product: values with meaning and origin, history, judgements, similar products; keys of any signs."""

import json
import re
from html import unescape
from urllib.parse import quote

import httpx
import pytest

from orchestration.commands.apply import apply
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.contracts.registry import CONTRACTS


def page_of(key):
    return f"/product/{quote(key, safe='')}"


def test_every_feature_has_its_meaning_and_origin(client, live, judged):
    _, key = judged
    text = unescape(client.get(page_of(key)).text)
    (row,) = live.lookup().products([key])
    contract = CONTRACTS["features.products"]
    for name in row:
        if name in contract.columns and name != "key":
            assert f"<code>{name}</code>" in text
            assert contract.meaning(name) in text
    assert "shopping_queries_dataset_products.parquet: product_title" in text
    assert "<summary>product_title</summary>" in text
    assert "staging.products.title by sql/features/products.sql" in text
    assert row["title"] in text


def test_judgements_and_similar_products_are_links(client, live, judged):
    query, key = judged
    text = unescape(client.get(page_of(key)).text)
    assert re.search(rf'href="/\?q=[^"]*&locale=us">{re.escape(query)}</a> <span class="label label-E"', text)
    similar = [hit.key for hit in live.searcher().similar(key, 8)]
    cards = text.split("Similar products")[1]
    assert re.findall(r'href="/product/([^"]*)"', cards) == [quote(each, safe="") for each in similar]


@pytest.mark.parametrize(
    "key", ["us:nothing", "x", "us:a/../b", "us:%2F\"'<b>", "us:a b?c#d&e", "us:" + "a" * 3000, "us:ü\n"]
)
def test_an_unknown_key_is_one_line(client, key):
    answer = client.get(page_of(key))
    assert answer.status_code == 404
    assert "has no product" in answer.text
    assert "<b>" not in answer.text


NAMES = ("a/b", "q\"uo'te", "50%25 off", "<i>x</i>&amp;", "..", "a b?c#d")


@pytest.fixture(scope="module")
def changed(copy_home, live_of):
    """Return a home in which a delta file added products with ids of many signs."""
    home = copy_home()
    run_context = open_run_context(load_settings(home))
    for title in ("Velvet accordion", "Velvet accordion in red"):
        rows = [
            {"op": "upsert", "product_locale": "us", "product_id": name, "product_title": f"{title} {number}"}
            for number, name in enumerate(NAMES)
        ]
        file = home.parent / f"{title}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        apply(run_context, [file])
    return live_of(home)


@pytest.fixture(scope="module")
def served(serve, changed):
    with httpx.Client(base_url=serve(changed), timeout=60) as client:
        yield client


@pytest.mark.parametrize("name", NAMES)
def test_a_key_may_have_any_signs(served, changed, name):
    """Over a real server: the test client decodes an address twice."""
    key = f"us:{name}"
    stored = changed.home.online.rows("product", changed.searcher().release.snapshot, [key])[0]
    assert stored is not None
    answer = served.get(page_of(key))
    assert answer.status_code == 200
    assert "Velvet accordion in red" in answer.text
    assert "<i>x</i>" not in answer.text
    found = served.get("/", params={"q": "velvet accordion", "where": f"key = '{key.replace(chr(39), chr(39) * 2)}'"})
    assert f'href="{page_of(key)}"' in found.text
    assert served.get(re.search(r'<h2><a href="([^"]*)"', found.text)[1]).status_code == 200


def test_the_history_tells_what_changed(client_of, changed):
    text = unescape(client_of(changed).get(page_of("us:a/b")).text)
    history = text.split(">History<")[1].split("Similar")[0]
    assert "Velvet accordion in red.jsonl" in history
    assert "searched since release 3" in history
    assert "<code>title</code>: Velvet accordion 0 → Velvet accordion in red 0" in history
    assert "added" in history
