"""The content of the search page: hits with their explanation, and facets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from models.encoder.unknown_tokens import UNREADABLE_SHARE
from orchestration.service.pages.judged_labels import labels_of_query
from orchestration.service.pages.release_facts import Attribute, ReleaseFacts
from orchestration.service.pages.search_form import MOST_PAGES, PAGE_HITS, SearchForm
from orchestration.service.pages.word_marks import Part, marked_texts
from orchestration.serving.hits import Explanation, Hit
from orchestration.serving.searcher import Searcher
from warehouse.contracts.registry import CONTRACTS
from warehouse.home import Home
from warehouse.search.facets import Facet
from warehouse.search.spelling import respelled
from warehouse.serving.release_log import Release
from warehouse.wording import counted

_FACET_VALUES = 8
_MOST_ATTRIBUTES = 4  # of a hit
_FITS = {1: "met", 0: "not named in the query", -1: "another one"}


@dataclass(frozen=True)
class Row:
    """Show one hit.

    Attributes:
        hit: the hit.
        title: its title in parts.
        facts: brand, color, price and further attributes: name and value.
        images: addresses of images.
        label: what the judgement of query and product says: E, S, C or I; None: they are not judged.
        legs: each leg of the search: its name, whether it found the product, rank, places moved, and score in words.
        reasons: what fits the query and what does not, in words.
        features: the pair features: name, value and meaning.
    """

    hit: Hit
    title: list[Part]
    facts: list[tuple[str, Any]]
    images: list[str]
    label: str | None
    legs: list[tuple[str, bool, int, int, str]]
    reasons: list[str]
    features: list[tuple[str, Any, str]]


@dataclass(frozen=True)
class Results:
    """Show the results of a search.

    Attributes:
        rows: the hits of the page.
        facets: the facets that divide the products found.
        found: number of products that the facets count.
        notes: what the reader has to know about the whole search, in words.
        judged: number of judged products of the query by label.
        has_more: whether there is a next page.
    """

    rows: list[Row]
    facets: list[Facet]
    found: int
    notes: list[str]
    judged: Mapping[str, int]
    has_more: bool


def results(home: Home, searcher: Searcher, facts: ReleaseFacts, form: SearchForm) -> Results:
    """Return the results of a search.

    Raises:
        WarehouseError: The search refuses the query, its locale or its filter.
    """
    wanted = form.page * PAGE_HITS
    answer = searcher.answer(
        form.query,
        wanted + (form.page < MOST_PAGES),
        form.locale,
        facets=facts.facets,
        values=_FACET_VALUES,
        where=form.condition,
        mode=form.mode,
        explain=True,
    )
    hits = answer.hits[wanted - PAGE_HITS : wanted]
    labels = labels_of_query(home, searcher.release, form.query, form.locale)
    corrected = respelled(form.query, answer.corrections)
    notes = [*answer.rules]
    if answer.corrections:
        unknown = ", ".join(map(repr, answer.corrections))
        notes.append(f"the catalog does not know {unknown}: searched for {corrected!r}")
    if answer.no_word_found and answer.hits:
        notes.append("no product has a word of the query: these are the nearest by meaning")
    if form.mode != "text" and (share := searcher.unknown_share(form.query)) > UNREADABLE_SHARE:
        orders = "words alone order the products" if form.mode == "ranked" else "the order means little"
        notes.append(f"the encoder does not know {share:.0%} of the query: {orders}")
    return Results(
        rows_of(home, searcher.release, facts, hits, labels, (form.query, corrected)),
        [facet for facet in answer.facets if _divides(facet)],
        answer.found,
        notes,
        {label: list(labels.values()).count(label) for label in "ESCI"} if labels else {},
        has_more=len(answer.hits) > wanted and answer.found > wanted,
    )


def rows_of(
    home: Home,
    release: Release,
    facts: ReleaseFacts,
    hits: Sequence[Hit],
    labels: Mapping[str, str],
    queries: Sequence[str],
) -> list[Row]:
    """Return what is shown of hits: with the words of the queries marked, and the values of the release."""
    titles = marked_texts([hit.title for hit in hits], [hit.locale for hit in hits], queries)
    values = home.online.rows("product", release.snapshot, [hit.key for hit in hits])
    return [
        Row(
            hit,
            title,
            _facts(own or {}, facts.attributes),
            images(own or {}, facts.attributes),
            labels.get(hit.key),
            _legs(hit.rank, hit.explanation) if hit.explanation else [],
            _reasons(hit.explanation.features) if hit.explanation else [],
            _features(hit.explanation.features) if hit.explanation else [],
        )
        for hit, title, own in zip(hits, titles, values, strict=True)
    ]


def images(values: Mapping[str, Any], attributes: Sequence[Attribute]) -> list[str]:
    """Return the addresses of a product's images: only those of the web."""
    return [
        address
        for attribute in attributes
        if attribute.is_image
        for address in str(values.get(attribute.feature) or "").replace(",", " ").split()
        if address.startswith(("https://", "http://"))
    ]


def _facts(values: Mapping[str, Any], attributes: Sequence[Attribute]) -> list[tuple[str, Any]]:
    named_values = [("brand", values.get("brand")), ("color", values.get("color"))]
    named_values += [(each.name, values.get(each.feature)) for each in attributes if each.is_price]
    others = [each for each in attributes if each.is_filtered and not each.is_price and not each.is_image]
    others.sort(key=lambda each: each.holds == "time")  # a date says least about a product
    named_values += [(each.name, values.get(each.feature)) for each in others][:_MOST_ATTRIBUTES]
    return [(name, value) for name, value in named_values if value not in (None, "", [])]


def _legs(rank: int, explanation: Explanation) -> list[tuple[str, bool, int, int, str]]:
    return [
        (
            "vector",
            "vector" in explanation.found_by,
            explanation.vector_rank,
            explanation.vector_rank - rank,
            f"cosine {explanation.cosine:.3f}",
        ),
        (
            "words",
            "text" in explanation.found_by,
            explanation.text_rank,
            explanation.text_rank - rank,
            f"score {explanation.text_score:.2f}",
        ),
    ]


def _reasons(features: Mapping[str, Any]) -> list[str]:
    reasons = [f"{features['matched_weight'] or 0:.0%} of the query's words by weight"]
    for name in ("number", "amount"):
        share = features[f"{name}_share"]
        reasons += [] if share is None else [f"{share:.0%} of its {name}s"]
    for name in ("brand", "color"):
        fit = features[f"{name}_fit"]
        reasons += [] if fit is None else [f"{name} {_FITS[fit]}"]
    return reasons + (["another amount"] if features["has_other_amount"] else [])


def _features(features: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    meanings = _meanings()
    return [(name, value, meanings.get(name, "attribute of the product")) for name, value in features.items()]


@cache
def _meanings() -> dict[str, str]:
    contract = CONTRACTS["features.pairs"]
    return {name: contract.meaning(name) for name in contract.columns}


def _divides(facet: Facet) -> bool:
    """Tell whether a facet is worth its place: it has values, and not as many as products."""
    return bool(facet.values) and (max(each.count for each in facet.values) > 1 or len(facet.values) == 1)


def title_of(form: SearchForm, results: Results | None) -> str:
    """Return the title of the page."""
    return f"{form.query} – {counted(results.found, 'product')}" if results else form.query or "Search"
