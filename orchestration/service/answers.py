"""Requests and answers of the service: what each field is, with examples, for the description of the service."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MOST_HITS = 1_000
_MOST_PAGE = 1_000


def _plain(text: str) -> str:
    """Refuse a text with control characters, which no query, filter or key has."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\t\r\n" for sign in text):
        raise ValueError("must have no control characters")
    return text


def _plain_word(text: str) -> str:
    if any(sign in text for sign in "\t\r\n"):
        raise ValueError("must have no control characters")
    return _plain(text)


Plain, PlainWord = AfterValidator(_plain), AfterValidator(_plain_word)
Key = Annotated[str, Field(min_length=1, max_length=500, examples=["us:B07XYZ"]), PlainWord]
_Locale = Annotated[str, Field(min_length=2, max_length=35), PlainWord]
Locale = Annotated[_Locale | None, Field(description="Only this locale, in any spelling.", examples=["us"])]
_Where = Annotated[str, Field(min_length=1, max_length=10_000), Plain]
Where = Annotated[
    _Where | None,
    Field(
        description="Only products that meet this condition, in the syntax of SQL.",
        examples=["brand = 'sony' AND title_price < 50"],
    ),
]
Show = Annotated[
    list[Annotated[str, Field(max_length=500), PlainWord]],
    Field(
        description="Columns whose values each hit has; repeated, or several with commas.",
        max_length=20,
        examples=[["brand", "color"]],
    ),
]
Hits = Annotated[int, Field(description="Number of products.", ge=1, le=MOST_HITS, examples=[10])]


class _Request(BaseModel):
    """A request whose every parameter is known."""

    model_config = ConfigDict(extra="forbid")


class SearchRequest(_Request):
    """What to search for."""

    q: Annotated[
        str,
        Field(
            description="The query, as a shopper types it.", min_length=1, max_length=2_000, examples=["office chair"]
        ),
        Plain,
    ]
    k: Hits = 10
    page: Annotated[
        int,
        Field(description=f"Page of k products, from 1; k times page is at most {MOST_HITS}.", ge=1, le=_MOST_PAGE),
    ] = 1
    locale: Locale = None
    mode: Annotated[
        Literal["ranked", "vector", "text", "encoder"],
        Field(
            description="Both legs in the order of the release's ranker, one leg alone, or the encoder without the towers."
        ),
    ] = "ranked"
    where: Where = None
    facets: Annotated[
        list[Annotated[str, Field(max_length=500), PlainWord]],
        Field(
            description="Columns whose values are counted among the products found; repeated, or several with commas.",
            max_length=20,
            examples=[["brand", "color"]],
        ),
    ] = []
    show: Show = []
    explain: Annotated[bool, Field(description="Whether each hit tells how it got its place.")] = False
    all: Annotated[
        bool, Field(description="Whether every product is shown; else one of those with the same title.")
    ] = False
    rules: Annotated[bool, Field(description="Whether the shop's search rules apply.")] = True
    context: Annotated[
        Annotated[str, Field(min_length=1, max_length=500), PlainWord] | None,
        Field(
            description="Context of the query, for time-series features of a context; only in a catalog that has such.",
        ),
    ] = None
    at: Annotated[
        datetime | None,
        Field(
            description="Time of the query, for its time-series features; default: the release's as-of time. Without a "
            "zone it is UTC.",
        ),
    ] = None


class SimilarRequest(_Request):
    """Which of the products like one to show."""

    k: Hits = 10
    locale: Locale = None
    where: Where = None
    show: Show = []
    all: Annotated[
        bool, Field(description="Whether every product is shown; else one of those with the same title.")
    ] = False


class FeaturesRequest(_Request):
    """As of when to look up."""

    at: Annotated[
        datetime | None,
        Field(
            description="Show the latest value of each time-series feature at this time; default: the release's as-of "
            "time. Without a zone it is UTC.",
            examples=["2024-05-01T12:00:00Z"],
        ),
    ] = None


class SuggestRequest(_Request):
    """What to complete."""

    q: Annotated[
        str, Field(description="What was typed so far.", min_length=1, max_length=200, examples=["off"]), Plain
    ]
    k: Annotated[int, Field(description="Number of suggestions.", ge=1, le=50)] = 10
    locale: Locale = None


class FeedbackEvent(BaseModel):
    """What a visitor was shown or did: one product of the results of a query."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[
        str, Field(description="Key of the product.", min_length=3, max_length=500, examples=["us:B07XYZ"]), PlainWord
    ]
    event: Annotated[
        Literal["impression", "click", "cart", "order"], Field(description="What happened.", examples=["click"])
    ]
    position: Annotated[
        int | None, Field(description="Its place among the results, from 1 on.", ge=1, le=1_000_000)
    ] = None


class FeedbackRequest(BaseModel):
    """What a visitor was shown and did after one query."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[
        str, Field(description="The query.", min_length=1, max_length=2_000, examples=["office chair"]), Plain
    ]
    events: Annotated[list[FeedbackEvent], Field(description="The events.", min_length=1, max_length=1_000)]


class FeedbackAnswer(BaseModel):
    """What was kept."""

    kept: int = Field(description="Number of events that were kept.", examples=[1])


class ReleasesRequest(_Request):
    """How many releases to list."""

    limit: Annotated[int, Field(description="Number of releases, the newest first.", ge=1, le=1_000)] = 20


class _Answer(BaseModel):
    """An answer, from the attributes of an object."""

    model_config = ConfigDict(from_attributes=True)


class ExplanationAnswer(_Answer):
    """How a hit got its place."""

    found_by: list[str] = Field(description="The legs that found it: vector, text or both; none beyond the candidates.")
    vector_rank: int = Field(description="Rank among the candidates by cosine, from 1.")
    text_rank: int = Field(description="Rank among the candidates by text score, from 1.")
    cosine: float = Field(description="Cosine of query and product vector.")
    text_score: float = Field(description="BM25 of the query's words.")
    features: dict[str, Any] = Field(description="The pair features by name, as in features.pairs.")


class HitAnswer(_Answer):
    """One product of a search."""

    rank: int = Field(description="Its place, from 1.", examples=[1])
    key: str = Field(description="locale:product_id.", examples=["us:B07XYZ"])
    product_id: str = Field(description="The catalog's id.", examples=["B07XYZ"])
    locale: str = Field(description="Its locale.", examples=["us"])
    title: str = Field(description="The cleaned title, as plain text.", examples=["Mesh office chair, black"])
    score: float = Field(description="What orders the hits of one search.", examples=[0.73])
    same_title: int = Field(0, description="Number of further hits with the same title, which are not shown.")
    rules: list[str] = Field(
        [], description="What the shop's search rules did to it, where an explanation was asked for."
    )
    values: dict[str, Any] = Field({}, description="The values of the columns that were to be shown, by name.")
    explanation: ExplanationAnswer | None = Field(None, description="How it got its place, where that was asked for.")


class FacetValueAnswer(_Answer):
    """The number of products of one value."""

    value: str = Field(description="The value, as people read it.", examples=["Sony"])
    count: int = Field(
        description="Number of products among those found; a search with the filter `where` finds these and often more.",
        examples=[12],
    )
    where: str = Field(description="The filter that keeps exactly these products.", examples=["brand = 'sony'"])


class FacetAnswer(_Answer):
    """The most frequent values of a column."""

    column: str = Field(description="The column, as a filter names it.", examples=["brand"])
    values: list[FacetValueAnswer] = Field(description="The values with their counts.")
    more: int = Field(description="Number of further values, which are not listed.")
    without: int = Field(description="Number of products without a value.")


class SearchAnswer(_Answer):
    """The products that a search found, all of one release."""

    release: int = Field(description="The release that answered.", examples=[3])
    query: str = Field(description="The query.", examples=["office chair"])
    page: int = Field(description="The page, from 1.", examples=[1])
    hits: list[HitAnswer] = Field(description="The products of the page, best first.")
    facets: list[FacetAnswer] = Field(description="A facet for each column that was asked for.")
    found: int = Field(description="Number of products that the facets count.", examples=[171])
    rules: list[str] = Field(description="What the shop's search rules did to the query, in words.")
    corrections: dict[str, str] = Field(
        description="Words that the catalog does not know, and those that were searched for instead."
    )
    no_word_found: bool = Field(
        False, description="Whether the search by words found no product; any hits are then the nearest by meaning."
    )


class SimilarAnswer(_Answer):
    """The products most like one, all of one release."""

    release: int = Field(description="The release that answered.", examples=[3])
    key: str = Field(description="The product.", examples=["us:B07XYZ"])
    hits: list[HitAnswer] = Field(description="The products, most like it first.")


class FeaturesAnswer(_Answer):
    """The features of one product or query, as the release was built with them."""

    release: int = Field(description="The release that answered.", examples=[3])
    entity: Literal["product", "query"] = Field(description="What the key is of.")
    key: str = Field(description="The key.", examples=["us:B07XYZ"])
    features: dict[str, Any] = Field(description="Every feature by name.", examples=[{"title": "Mesh office chair"}])


class SuggestionAnswer(_Answer):
    """One completion."""

    text: str = Field(description="The whole text.", examples=["office chair"])
    kind: Literal["query", "title"] = Field(description="A known query, or the title of a product.")
    locale: str = Field(description="Its locale.", examples=["us"])


class SuggestAnswer(_Answer):
    """Completions of what was typed: known queries first, those with the most judged products, then titles."""

    release: int = Field(description="The release whose queries and titles these are.", examples=[3])
    suggestions: list[SuggestionAnswer] = Field(description="The completions.")


class ReleaseAnswer(_Answer):
    """One release."""

    release: int = Field(description="Its number, from 1.", examples=[3])
    published_at: datetime = Field(description="When it was published, UTC.")
    kind: Literal["model", "catalog", "rollback"] = Field(
        description="A new model, other products, or an earlier release."
    )
    model_id: str = Field(description="The model.", examples=["0db3a659154f1a73"])
    encoder_fingerprint: str = Field(description="The text encoder.")
    snapshot: int = Field(description="The snapshot of the lake that it was made from.", examples=[22])
    note: str = Field(description="The reason, in words.")


class ReleasesAnswer(_Answer):
    """The releases, the newest first."""

    release: int = Field(description="The release that this process answers from.", examples=[3])
    releases: list[ReleaseAnswer] = Field(description="The releases, the newest first.")


class DeltaFileAnswer(_Answer):
    """The effect of one posted file, as raw.deltas has it."""

    table: str = Field(description="The table that it changed.", examples=["raw.products"])
    sequence_number: int = Field(description="Its number among the delta files.", examples=[7])
    is_new: bool = Field(description="False for a file that was applied before.")
    inserted: int = Field(0, description="Rows that are new.")
    updated: int = Field(0, description="Rows that have other values.")
    deleted: int = Field(0, description="Rows that are gone.")
    unchanged: int = Field(0, description="Rows that were like that before.")
    unknown: int = Field(0, description="Deletes of rows that were not there.")
    superseded: int = Field(0, description="Rows that a later row of the same file changes.")
    late: int = Field(0, description="Rows older than what is known.")
    refused: int = Field(0, description="Rows that broke a rule.")
    rules: dict[str, int] = Field({}, description="Each violated rule with its number of violations.")


class RefusedAnswer(_Answer):
    """Rows that a run put into quarantine."""

    table: str = Field(description="The table.", examples=["staging.judgements"])
    rule: str = Field(description="The rule.", examples=["judgement_without_product"])
    rows: int = Field(description="Number of rows.", examples=[1])
    keys: list[str] = Field(description="Some of their keys.", examples=[["us:1:B07XYZ"]])


class DeltaAnswer(_Answer):
    """The outcome of a posted delta.

    `waiting` until it is applied, then `applied`, or `refused` for a body that cannot be applied, or `failed` for a run that
    did not come to its end.
    """

    id: str = Field(description="The id: equal bodies of the same name have the same.", examples=["3f2a9c0d11e4b7a8"])
    state: Literal["waiting", "applied", "refused", "failed"] = Field(description="The outcome so far.")
    name: str = Field(description="The name of the file.", examples=["monday.jsonl"])
    release: int | None = Field(None, description="The release from which on its rows are searchable.", examples=[4])
    run: str | None = Field(
        None, description="The run that applied it, as the UI shows it; none if nothing was left to do."
    )
    file: DeltaFileAnswer | None = Field(None, description="Its effect; none for search rules.")
    refused: list[RefusedAnswer] = Field(
        [], description="Rows that the run put into quarantine, those of other tables too."
    )
    detail: str = Field("", description="Why it was refused, or did not come to its end.")
    hint: str = Field("", description="What to do about that.")


class HealthAnswer(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(BaseModel):
    """The process answers searches."""

    status: Literal["ready"] = "ready"
    release: int = Field(description="The release that this process answers from.", examples=[3])
    takes_deltas: bool = Field(description="Whether the process that applies deltas is up.")
