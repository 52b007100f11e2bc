"""`stockroom search`: the products that a shopper would see."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.encoder_output import show_reading
from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, plain_table, show_fact, show_title, write_json

if TYPE_CHECKING:
    from orchestration.serving.hits import Answer, Explanation, Hit

_MOST_CHARS = 40  # of a facet's value on the screen

WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="CONDITION",
        help="Show only products that meet a condition in SQL, as \"brand = 'sony' AND title_price < 50\".",
    ),
]
ShowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--show",
        metavar="COLUMN",
        help="Show a column of each product, such as brand or an attribute; may be repeated, or several with commas.",
    ),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="Show every product; by default one of those with the same title.")
]


class Mode(Enum):
    """The ways to search."""

    ranked = "ranked"
    vector = "vector"
    text = "text"
    encoder = "encoder"


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("search")(search)


def time_from(text: str) -> datetime:
    """Return an ISO 8601 time; one without a zone is taken to be UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a time; write the time as 2022-06-14 or 2022-06-14T12:00+00:00"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def search(
    query: Annotated[str, typer.Argument(help='What to search for, as a shopper would type it: "wireless earbuds".')],
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="How many products to show.")] = 10,
    locale: Annotated[
        str | None, typer.Option("--locale", help="Search one locale only, such as us or en-US. Default: all.")
    ] = None,
    context: Annotated[
        str | None,
        typer.Option("--context", metavar="KEY", help="Context of the query, for time-series features of a context."),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            metavar="TIME",
            parser=time_from,
            help="Time of the query, as 2022-06-14T12:00; default: the release's as_of.",
        ),
    ] = None,
    where: WhereOption = None,
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode",
            help="ranked: both legs, ordered by the release's ranker. For comparison vector or text: one leg alone; encoder: "
            "vectors without the towers.",
        ),
    ] = Mode.ranked,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show for each hit which leg found it, both ranks, and how words and facts fit."
        ),
    ] = False,
    facet: Annotated[
        list[str] | None,
        typer.Option(
            "--facet",
            metavar="COLUMN",
            help="Count the values of a column among the products found; may be repeated, or several with commas.",
        ),
    ] = None,
    show: ShowOption = None,
    show_all: AllOption = False,
    no_rules: Annotated[bool, typer.Option("--no-rules", help="Search without the shop's search rules.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search the live release.

    Two legs find products, by vector and by words, and the ranker of the release orders them. The query goes through the same
    cleaning, features, encoder and tower as in training; products come from the release's own versions of vectors and text
    index. With `--json`: a list of {rank, key, product_id, locale, title, score, same_title}, with `--explain` also explanation,
    and with `--show` values.
    With `--facet`: {hits, facets, found, rules, corrections, no_word_found}; each value of a facet has the `where` that keeps its
    products.
    """
    from orchestration.config.open_home import open_home
    from orchestration.serving.searcher import Searcher
    from warehouse.search.spelling import respelled
    from warehouse.wording import names_in

    settings = settings_for(home)
    searcher = Searcher(open_home(settings), settings.encoder, in_memory=False)
    answer = searcher.answer(
        query,
        k,
        locale,
        facets=names_in(facet or ()),
        where=where,
        context=context,
        at=at,
        mode=mode.value,
        explain=explain,
        fold=not show_all,
        rules=not no_rules,
        show=names_in(show or ()),
    )
    if not as_json and answer.corrections:
        unknown = ", ".join(map(repr, answer.corrections))
        wording = respelled(query, answer.corrections)
        show_fact("spelling", f"the catalog does not know {unknown}: searched for {wording!r}")
    if not as_json and mode is not Mode.text:
        show_reading(searcher.unknown_share(query), orders_alone=mode is not Mode.ranked)
    if answer.no_word_found and answer.hits and not as_json:
        show_fact("words", "no product has a word of the query: the nearest by meaning follow", "yellow")
    if explain and not as_json:
        for note in answer.rules:
            show_fact("rule", note)
    if as_json and facet:
        write_json(answer.to_dict())
        return
    show_hits(answer.hits, repr(query), as_json=as_json)
    if facet:
        show_facets(answer)


def show_hits(hits: "Sequence[Hit]", title: str, *, as_json: bool) -> None:
    """Print the hits of a search as a table, or as JSON."""
    if as_json:
        write_json([hit.to_dict() for hit in hits])
        return
    from rich.text import Text

    show_title(title)
    if not hits:
        console.print("no product was found")
        return
    table = plain_table()
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    table.add_column("product", no_wrap=True)
    table.add_column("title")
    for hit in hits:
        more = f" (and {hit.same_title:,} more of this title)" if hit.same_title else ""
        lines = [f"{hit.title}{more}", *value_lines(hit), *hit.rules]
        lines += explanation_lines(hit.explanation) if hit.explanation else ()
        table.add_row(str(hit.rank), f"{hit.score:.4f}", Text(hit.key), Text("\n".join(lines)))  # Text: no markup
    console.print(table)


def value_lines(hit: "Hit") -> list[str]:
    """Return the values that a hit shows in one line, which has the elements of a list; no line without a value."""
    shown = [f"{name} {value_text(value)}" for name, value in hit.values.items() if value not in (None, [], "")]
    return ["; ".join(shown)] if shown else []


def value_text(value: Any) -> str:
    """Return a value of a product as people read it, a list by its elements."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def show_facets(answer: "Answer") -> None:
    """Print one line for each facet: the values with their counts."""
    show_title(f"facets of the {answer.found:,} products found")
    width = max(len(facet.column) for facet in answer.facets) + 2
    for facet in answer.facets:
        values = [f"{_shortened(each.value)} ({each.count:,})" for each in facet.values]
        values += [f"{facet.more:,} more values"] * bool(facet.more)
        values += [f"no value ({facet.without:,})"] * bool(facet.without)
        show_fact(facet.column, ", ".join(values) or "no product", width=width)


def explanation_lines(explanation: "Explanation") -> list[str]:
    """Return the explanation of a hit in two lines: the legs with their ranks, and what fits the query and what does not."""
    found = " and ".join(explanation.found_by) or "neither leg"
    legs = f"found by {found}; vector rank {explanation.vector_rank} (cosine {explanation.cosine:.3f}), " + (
        f"text rank {explanation.text_rank} (score {explanation.text_score:.2f})"
        if explanation.text_score
        else "none of the words"
    )
    features = explanation.features
    facts = [f"{features['matched_weight']:.0%} of the words by weight"]
    for name in ("number", "amount"):
        share = features[f"{name}_share"]
        facts += [] if share is None else [f"{share:.0%} of the {name}s"]
    for name in ("brand", "color"):
        fit = features[f"{name}_fit"]
        facts += [] if fit is None else [f"{name} {_FITS[fit]}"]
    facts += ["another amount"] if features["has_other_amount"] else []
    return [legs, f"fits {', '.join(facts)}"]


_FITS = {1: "met", 0: "not named", -1: "another"}


def _shortened(value: str) -> str:
    return value if len(value) <= _MOST_CHARS else f"{value[:_MOST_CHARS]}…"
