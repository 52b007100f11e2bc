"""The pages over the shop sample, without a judgement: prices, categories, images as links, and what cannot be shown yet."""

import re
import sys

import pytest

from orchestration.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("word_encoder")]


@pytest.fixture(scope="module")
def shop(tmp_path_factory, word_encoder):
    """Return the home of the shop sample, from files to release by the commands alone."""
    folder = tmp_path_factory.mktemp("shop")
    for arguments in (
        ["sample", "--kind", "shop", "--products", "100", "--out", folder / "files"],
        ["init", "FILES", "--home", folder / "home"],
        ["build", "--home", folder / "home"],
    ):
        files = sorted((folder / "files").glob("*.csv")) if "FILES" in arguments else []
        command = [str(each) for argument in arguments for each in (files if argument == "FILES" else [argument])]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["stockroom", *command])
            with pytest.raises(SystemExit) as ended:
                main()
        assert not ended.value.code
    return folder / "home"


@pytest.fixture(scope="module")
def browser(shop, browser):
    """Open the browser after the build: its loop of events would run meanwhile."""
    return browser


@pytest.fixture(scope="module")
def address(serve, live_of, shop):
    return serve(live_of(shop))


@pytest.fixture(scope="module")
def title(live_of, shop):
    """Return the title of a product with a price and an image."""
    with live_of(shop).home.lake.reading() as connection:
        return connection.execute(
            "SELECT title FROM staging.products JOIN attributes.products USING (key) WHERE price IS NOT NULL LIMIT 1"
        ).fetchone()[0]


def test_from_a_search_to_a_facet_a_product_and_a_comparison(page, assert_fits, title):
    page.goto("/")
    page.get_by_role("searchbox").fill(title)
    page.wait_for_url(re.compile("q="))
    page.locator("#results:not([aria-busy]) .hit").first.wait_for()
    assert page.locator(".hit h2 a").first.inner_text() == title
    assert page.locator("img").count() == 0  # images are of other hosts
    assert_fits(page)
    facet = page.locator(".facets a").first
    value = facet.locator("span").first.inner_text()
    facet.click()
    page.locator(".chosen").wait_for()
    assert page.locator(".hit").count() > 0
    assert all(value in each for each in page.locator(".hit").all_inner_texts())
    assert_fits(page)
    page.locator(".hit h2 a").first.click()
    page.get_by_role("heading", name="Features").wait_for()
    assert "products.csv: Product Title" in page.content()
    assert "shopping_queries_dataset" not in page.content()
    assert page.get_by_text("price", exact=False).first.is_visible()
    assert_fits(page)
    page.goto(f"/compare?q={title.split()[0]}")
    page.get_by_role("heading", name="Vector alone").wait_for()
    assert_fits(page)


def test_its_tables_and_its_quality_without_judgements(page, assert_fits):
    page.goto("/data")
    page.get_by_label("One statement").fill("SELECT category_path, count(*) AS n FROM attributes.products GROUP BY ALL")
    page.get_by_role("button", name="Ask").click()
    page.get_by_role("region", name="Rows").wait_for()
    assert_fits(page)
    page.goto("/quality")
    page.get_by_role("heading", name="Releases").wait_for()
    assert_fits(page)
