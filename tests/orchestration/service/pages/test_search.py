"""The search page: results, facets, judged labels, explanations, and text that could be markup."""

import re
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from orchestration.config.serve import ServeSettings
from orchestration.service.limits import Workers
from orchestration.service.pages.release_facts import Attribute, ReleaseFacts
from orchestration.service.pages.search_form import SearchForm
from orchestration.service.pages.views.search import images
from warehouse.errors import WarehouseError


def test_without_a_query_nothing_is_searched(client):
    answer = client.get("/")
    assert answer.status_code == 200
    assert "Judged queries to try" in answer.text
    assert 'class="hit"' not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "https:" not in answer.headers["content-security-policy"]
    assert not re.search(r"<[^>]*(style=|onclick|javascript:)", answer.text)


def test_the_hits_are_those_of_the_searcher(client, live, judged):
    query, _ = judged
    hits = live.searcher().search(query, 20)
    for page, own in ((1, hits[:10]), (2, hits[10:])):
        text = client.get("/", params={"q": query, "page": page}).text
        shown = re.findall(r'<span class="key">([^<]+)</span>', text)
        assert [unescape(key) for key in shown] == [hit.key for hit in own]
    assert [int(rank) for rank in re.findall(r'<li class="hit" value="(\d+)"', text)] == [hit.rank for hit in hits[10:]]


def test_matched_words_are_marked_and_a_hit_tells_how_it_got_its_place(client, judged):
    query, _ = judged
    text = client.get("/", params={"q": query}).text
    assert "<mark>" in text
    assert "Why rank 1" in text
    assert "moved by the ranker" in text
    assert "What the ranker read" in text


def test_judged_products_have_their_label(client, judged):
    query, key = judged
    text = client.get("/", params={"q": query.upper(), "locale": "us", "where": f"key = '{key}'"}).text
    assert "This query is judged:" in text
    assert re.search(r'class="hit".*label-E', text, re.DOTALL)


def test_a_facet_is_a_link_that_keeps_at_least_its_products(client, judged):
    text = client.get("/", params={"q": judged[0]}).text
    link, _, count = re.search(
        r'href="([^"]*f=[^"]*)"[^>]*><span>([^<]*)</span> <span class="count">(\d+)', text
    ).groups()
    narrowed = client.get(unescape(link))
    assert narrowed.status_code == 200
    assert "Counted among the" in text
    assert int(re.search(r"of the (\d+) products? found", narrowed.text)[1]) >= int(count)
    (condition,) = parse_qs(urlsplit(unescape(link)).query)["f"]
    assert 'aria-label="Chosen filters"' in narrowed.text
    assert condition in unescape(narrowed.text)
    back = re.search(r'<ul class="chosen".*?href="([^"]*)"', narrowed.text, re.DOTALL)[1]
    assert "f=" not in unescape(back)


def test_a_fragment_has_the_results_alone(client, judged):
    text = client.get("/", params={"q": judged[0], "fragment": 1}).text
    assert "<html" not in text
    assert 'class="hit"' in text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"q": "x", "where": "brand ="}, "a value is missing"),
        ({"q": "x", "where": "1=1); DROP TABLE raw.products; --"}, "the filter"),
        ({"q": "x", "locale": "zz"}, "no products of locale"),
        ({"q": "x", "locale": "../.."}, "no products of locale"),
        ({"q": "x", "mode": "best"}, "no way to search"),
        ({"q": "x", "page": "0"}, "no page of results"),
        ({"q": "x", "page": "10000000000"}, "no page of results"),
        ({"q": "<b></b>"}, "the query is blank"),
    ],
)
def test_what_cannot_be_searched_is_one_line_beside_the_form(client, parameters, message):
    answer = client.get("/", params=parameters)
    assert answer.status_code == 400
    assert message in unescape(answer.text)
    assert '<form class="search"' in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("query", ["a" * 20_000, "\x00\x01\x7f chair", "'; DROP TABLE x; --", "%s %00 {{7*7}}", "🪑"])
def test_strange_queries_are_answered(client, query):
    answer = client.get("/", params={"q": query})
    assert answer.status_code == 200
    assert "49" not in re.sub(r"\d\.\d+|B\w+|\d{3,}", "", answer.text.split("<main")[1].split("</form>")[0])


class Strange:
    """A searcher whose hits have another title."""

    def __init__(self, searcher, title):
        self.searcher, self.title = searcher, title

    def __getattr__(self, name):
        return getattr(self.searcher, name)

    def answer(self, *arguments, **options):
        answer = self.searcher.answer(*arguments, **options)
        return replace(answer, hits=[replace(hit, title=self.title) for hit in answer.hits])


def test_html_in_a_title_is_shown_as_text(live, client_of, judged):
    title = f"<script>alert(1)</script> <img src=x onerror=alert(2)> {judged[0]} & \"quoted\" 'so'"

    class Evil:
        home, lookup = live.home, live.lookup

        def searcher(self):
            return Strange(live.searcher(), title)

    for path in ("/", "/?fragment=1"):
        text = client_of(Evil()).get(path, params={"q": judged[0]}).text
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "&lt;script&gt;alert(1)" in text
        heading = re.search(r'<h2><a href="[^"]*">(.*?)</a>', text)[1]
        assert unescape(re.sub(r"</?mark>", "", heading)) == title


def test_html_in_the_address_is_shown_as_text(client):
    evil = '"><script>alert(1)</script>'
    for parameters in ({"q": evil}, {"q": "x", "where": evil}, {"q": "x", "f": evil}, {"q": "x", "locale": evil}):
        text = client.get("/", params=parameters).text
        assert "<script>alert" not in text


def test_filters_are_combined():
    form = SearchForm.read([("q", "x"), ("where", "a = 1 OR b = 2"), ("f", "c = 3"), ("f", "c = 3")])
    assert form.condition == "(a = 1 OR b = 2) AND (c = 3)"
    assert SearchForm.read(parse_pairs(form.address())) == form
    with pytest.raises(WarehouseError, match="21 filters"):
        SearchForm.read([("f", f"a = {number}") for number in range(21)])


def parse_pairs(address):
    return [(name, value) for name, values in parse_qs(urlsplit(address).query).items() for value in values]


def test_only_addresses_of_the_web_are_images():
    names = {"image_url": "text", "more_images": "text", "imagery": "text", "price": "number"}
    attributes = [
        Attribute("attributes.goods", name, f"goods.{name}", "", holds, True) for name, holds in names.items()
    ]
    values = {
        "goods.image_url": "https://a/1.jpg",
        "goods.more_images": "javascript:alert(1), http://a/2.jpg,https://a/3.jpg data:x",
        "goods.imagery": "https://a/4.jpg",
    }
    assert images(values, attributes) == ["https://a/1.jpg", "http://a/2.jpg", "https://a/3.jpg"]
    assert images({}, attributes) == []


def test_facets_begin_with_what_divides_best():
    kinds = {"sku": "text", "tags": "list", "stock": "number", "sale": "flag", "price": "number", "day": "time"}
    attributes = tuple(
        Attribute("attributes.a", name, f"a.{name}", "", holds, name != "sku") for name, holds in kinds.items()
    )
    facts = ReleaseFacts(("us",), attributes, ())
    assert facts.facets == ("brand", "color", "price", "stock", "sale", "tags")
    assert facts.example_filter == "price < 50"
    of_brand = ReleaseFacts(("us",), attributes, (), "o'neill")
    assert of_brand.example_filter == "brand = 'o''neill' AND price < 50"
    assert ReleaseFacts(("us",), (), ()).facets == ("brand", "color", "title_price", "pack_count")


def test_images_are_shown_only_if_asked_for(client_of, live):
    policy = client_of(live, shows_images=True).get("/").headers["content-security-policy"]
    assert "img-src 'self' https:" in policy


def test_a_home_without_a_release_is_not_ready(client_of, live_of, tmp_path):
    for path in ("/", "/compare", "/quality", "/product/us:1"):
        answer = client_of(live_of(tmp_path)).get(path)
        assert answer.status_code == 503
        assert "publish a release with" in answer.text


def test_the_files_beside_the_pages(client):
    text = client.get("/").text
    for address in re.findall(r'(?:href|src)="(/static/[^"]*)"', text):
        answer = client.get(unescape(address))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert client.get("/static/nothing.css").status_code == 404
    assert client.get("/static/..%2Froutes.py").status_code == 404


def test_addresses_begin_with_the_path_of_a_proxy(live, client_of, judged):
    client = client_of(live)
    client.app.root_path = "/shop"
    text = client.get("/shop/", params={"q": judged[0]}).text
    assert all(
        address.startswith(("/shop/", "#", "http")) for address in re.findall(r'(?:href|src|action)="([^"]*)"', text)
    )


def test_a_page_that_takes_too_long_says_so(client_of, live):
    answer = client_of(live, workers=Workers(ServeSettings(request_s=0.0001))).get("/", params={"q": "chair"})
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert "no answer within 0.0001 seconds" in answer.text
