"""The pages in a real browser, at the width of a desk and of a telephone: no console error, nothing wider than the screen."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def address(serve, live):
    return serve(live)


def test_search_while_typing_then_facets_and_pages(page, judged, assert_fits):
    query, _ = judged
    page.goto("/")
    assert_fits(page)
    page.locator("input[type=search]:focus").wait_for()
    page.keyboard.type(query)
    page.wait_for_url(lambda url: parse_qs(urlsplit(url).query).get("q") == [query])
    page.locator("#results:not([aria-busy]) .hit").first.wait_for()
    assert page.locator(".hit mark").count() > 0
    assert page.get_by_text("This query is judged").is_visible()
    page.locator(".hit summary").first.click()
    assert page.get_by_text("moved by the ranker").first.is_visible()
    page.get_by_role("link", name="Next →").click()
    page.get_by_text("page 2").wait_for()
    assert_fits(page)
    page.go_back()
    page.locator(".hit").first.wait_for()
    page.evaluate("for (const each of document.querySelectorAll('.facets > details')) each.open = true")
    facet = page.locator(".facets a").first
    count = int(facet.locator(".count").inner_text())
    facet.click()
    page.get_by_text(re.compile(rf"of the {count} products? found")).wait_for()
    assert_fits(page)
    page.locator(".chosen a").click()
    page.locator(".chosen").wait_for(state="detached")


def test_a_locale_and_an_order_are_chosen_at_once(page, judged):
    page.goto(f"/?q={judged[0]}")
    page.get_by_label("Locale").select_option("us")
    page.wait_for_url(re.compile("locale=us"))
    page.get_by_label("Order").select_option("vector")
    page.wait_for_url(re.compile("mode=vector"))
    page.locator("#results:not([aria-busy]) .hit").first.wait_for()
    assert page.locator(".key").all_inner_texts()
    assert all(key.startswith("us:") for key in page.locator(".key").all_inner_texts())


def test_the_keyboard_is_enough(page, judged):
    page.goto(f"/?q={judged[0]}")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("/")
    page.keyboard.type("chair")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"q=chair"))
    page.locator(".hit").first.wait_for()
    page.locator(".hit h2 a").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # opens the explanation
    assert page.locator(".hit details[open]").count() == 1


def test_compare_two_ways_and_follow_a_product(page, judged, assert_fits):
    page.goto("/compare")
    page.get_by_role("searchbox").fill(judged[0])
    page.get_by_label("Left").select_option("text")
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="Words alone").wait_for()
    assert_fits(page)
    page.locator("#left + ol a[href^='#right-']").first.click()
    page.locator("#right + ol li:target").wait_for()


def test_a_product_tells_where_its_values_come_from(page, judged, assert_fits):
    page.goto(f"/?q={judged[0]}")
    page.locator(".hit h2 a").first.click()
    page.get_by_role("heading", name="Features").wait_for()
    page.locator("td summary").first.click()
    assert page.get_by_text("is made from").first.is_visible()
    assert_fits(page)
    title = page.locator(".cards a").first.inner_text()
    page.locator(".cards a").first.click()
    page.get_by_role("heading", name=title, exact=True).wait_for()


def test_sql_a_question_and_a_table(page, assert_fits):
    page.goto("/data")
    page.get_by_label("One statement").fill("SELECT locale, count(*) AS n FROM staging.products GROUP BY ALL")
    page.get_by_role("button", name="Ask").click()
    page.locator(".bars rect").first.wait_for()
    assert page.locator(".bars rect").first.bounding_box()["width"] > 1
    assert_fits(page)
    page.get_by_role("link", name="slices").click()
    page.get_by_role("region", name="Rows").wait_for()
    assert_fits(page)
    page.get_by_role("link", name="features.products", exact=True).click()
    page.get_by_role("region", name="Columns").wait_for()
    assert_fits(page)


def test_a_changed_query_leads_to_its_comparison(page, assert_fits):
    page.goto("/quality?pair=ranked-bm25")
    assert_fits(page)
    page.locator("#changed a").first.click()
    page.get_by_role("region", name="Judged products").wait_for()
    assert_fits(page)


def test_search_works_without_the_script(browser, address, judged):
    context = browser.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("searchbox").fill(judged[0])
    page.get_by_role("button", name="Search").click()
    page.locator(".hit").first.wait_for()
    page.get_by_role("link", name="Next →").click()
    page.get_by_text("page 2").wait_for()
    context.close()


def test_what_was_shown_and_clicked_is_told_once_where_feedback_is_kept(browser, serve, live, judged):
    query, _ = judged
    context = browser.new_context(base_url=serve(live, keeps_feedback=True))
    page, told = context.new_page(), []
    page.set_default_timeout(PATIENCE_MS)

    def keep(route):
        told.append(route.request.post_data_json)
        route.fulfill(json={"kept": 1})

    page.route("**/feedback", keep)
    page.goto(f"/?q={query}")
    keys = page.locator("[data-key]").evaluate_all("all => all.map(each => each.dataset.key)")
    with page.expect_request("**/feedback"):
        page.locator("h2 a").nth(1).click()
    page.wait_for_url("**/product/**")
    page.wait_for_timeout(200)
    context.close()
    assert [each["query"] for each in told] == [query, query]
    shown, clicked = (each["events"] for each in told)
    assert [(each["key"], each["position"], each["event"]) for each in shown] == [
        (key, place, "impression") for place, key in enumerate(keys, start=1)
    ]
    assert clicked == [{"key": keys[1], "position": 2, "event": "click"}]
