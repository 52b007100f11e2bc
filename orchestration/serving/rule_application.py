"""Rule application: the search rules of a release, chosen for a query and applied to its ranked hits."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from orchestration.serving.hits import Hit, first_hits, hit_of
from warehouse.home import Home
from warehouse.search import search_rules
from warehouse.search.product_filter import ProductFilter
from warehouse.serving.release_log import Release
from warehouse.transform.words import query_words_by_locale
from warehouse.wording import counted

_FAR = 1_000  # a boost lifts products from among as many results
_MOST_WORDINGS = 8  # beside the query's own


@dataclass(frozen=True)
class Synonym:
    """Hold a synonym whose words a query has: its locale and line, the words, and those to search for as well."""

    locale: str
    line: str
    words: list[str]
    other: list[str]
    text: str


@dataclass(frozen=True)
class QueryRules:
    """Hold what the rules of a release decide for one query.

    Attributes:
        places: place of each pinned product, from 1, and the line of the rule, by key, in the order of the places.
        factors: number that divides the rank of each boosted product, and the lines of the rules, by key.
        hidden: line of the rule that hides each product, by key.
        synonyms: the synonyms whose words the query has.
    """

    places: dict[str, tuple[int, str]] = field(default_factory=dict)
    factors: dict[str, tuple[float, str]] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    synonyms: Sequence[Synonym] = ()

    def led_by(self, keys: Iterable[str]) -> "QueryRules":
        """Return the same rules with the products that the query names by their ids before all others, unless they are hidden."""
        named = {key: (1, "its id") for key in keys if key not in self.hidden}
        return replace(self, places=named | {key: place for key, place in self.places.items() if key not in named})

    def wordings(self, words: dict[str, list[str]]) -> list[dict[str, list[str]]]:
        """Return the words of a query by locale, and once more for each synonym with the other words in their place."""
        every = [words]
        for each in self.synonyms[:_MOST_WORDINGS]:
            own, length = words.get(each.locale, []), len(each.words)
            starts = [at for at in range(len(own)) if own[at : at + length] == each.words]
            other = [*own[: starts[0]], *each.other, *own[starts[0] + length :]] if starts else each.other
            every.append(words | {each.locale: other})
        return every

    def shown(self, among: set[str] | None) -> set[str] | None:
        """Return the keys of the products that meet a filter and are not hidden; None without a filter."""
        return among if among is None else among - self.hidden.keys()

    def notes(self) -> list[str]:
        """Return what the rules do to the query as a whole, in words."""
        lines = {line: list(self.hidden.values()).count(line) for line in dict.fromkeys(self.hidden.values())}
        return [
            *(f"also searched for {each.text!r} by {each.line}" for each in self.synonyms),
            *(f"hidden: {counted(count, 'product')} by {line}" for line, count in lines.items()),
        ]

    def facts(self, key: str) -> tuple[str, ...]:
        """Return what the rules did to a shown product, in words."""
        if key in self.places:
            place, line = self.places[key]
            return (f"pinned to {place} by {line}",)
        if key in self.factors:
            factor, line = self.factors[key]
            return (f"boosted {factor:g}x by {line}",)
        return ()


class SearchRules:
    """Keep the rules of one release; a release without rules costs nothing."""

    def __init__(self, home: Home, release: Release) -> None:
        """Read the rules from the release's snapshot of the lake."""
        self._home, self._snapshot, self._text_version = home, release.snapshot, release.text_version
        self._by_query: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._synonyms: dict[str, list[Synonym]] = {}
        self._keys: dict[tuple[str, str], list[str]] = {}
        rows: Iterable[dict[str, Any]] = ()
        if release.rules:
            with home.lake.reading(release.snapshot) as connection:
                rows = search_rules.stored(connection).iter_rows(named=True)
        for row in rows:
            locale, words = row["locale"], row["query_words"]
            if row["rule"] == "synonym":
                synonym = Synonym(locale, row["line_key"], words.split(), row["synonym_words"].split(), row["synonym"])
                self._synonyms.setdefault(locale, []).append(synonym)
            else:
                self._by_query.setdefault((locale, words), []).append(row)
        self._locales = sorted({locale for locale, _ in self._by_query} | self._synonyms.keys())

    def of(self, text: str, words: dict[str, list[str]], locale: str | None) -> QueryRules:
        """Return what the rules decide for a query.

        Hiding wins over pinning, and pinning over boosting. A rule for the query comes before one for every query.

        Args:
            text: The cleaned query.
            words: Its words by locale as they are searched, with corrected spelling. The words as typed count too. Without
                words, by vector alone, synonyms do nothing.
            locale: The only locale to search; None: all.
        """
        locales = [each for each in self._locales if locale in (None, each)]
        if not locales:
            return QueryRules()
        rows: list[dict[str, Any]] = []
        synonyms: list[Synonym] = []
        for each, typed in zip(locales, query_words_by_locale(text, locales), strict=True):
            wordings = list(dict.fromkeys((" ".join(typed), " ".join(words.get(each, typed)))))
            for wording in (*wordings, ""):
                rows += self._by_query.get((each, wording), ())
            synonyms += (
                synonym
                for synonym in (self._synonyms.get(each, ()) if words else ())
                if any(f" {' '.join(synonym.words)} " in f" {wording} " for wording in wordings)
            )
        return self._decided(rows, synonyms)

    def everywhere(self, locale: str) -> QueryRules:
        """Return what the rules for every query hide in a locale."""
        return self._decided([row for row in self._by_query.get((locale, ""), ()) if row["rule"] == "hide"], ())

    def arranged(
        self,
        decided: QueryRules,
        first: Callable[[int], list[Hit]],
        k: int,
        among: set[str] | None,
        *,
        fold: bool,
        explain: bool = False,
    ) -> list[Hit]:
        """Return the first `k` hits: without hidden products, boosted ones moved, pinned ones in their places.

        A boost divides the rank of a product: of rank 10, boosted by 2, it comes to rank 5. A pinned product that the search
        did not find has the score of the last hit.

        Args:
            decided: What the rules decide for the query.
            first: Returns so many hits of the search, best first.
            k: Number of products.
            among: The keys of the products that meet a filter; None without one.
            fold: Whether equal titles are folded.
            explain: Whether each hit tells what the rules did to it.
        """
        if not (decided.places or decided.factors or decided.hidden):
            return first_hits(first, k, fold=fold)
        pinned: dict[str, Hit] = {}
        hits = first_hits(lambda limit: _moved(decided, first, limit, pinned), k + len(decided.places), fold=fold)
        missing = [key for key in decided.places.keys() - pinned.keys() if among is None or key in among]
        rows = self._home.texts.rows(self._text_version, missing) if missing else pl.DataFrame()
        pinned |= {row["key"]: hit_of(0, row, hits[-1].score if hits else 0.0) for row in rows.iter_rows(named=True)}
        titles = {_title(hit) for hit in pinned.values()} if fold else set()
        folded = [hit for hit in hits if _title(hit) in titles]
        hits, place = [hit for hit in hits if _title(hit) not in titles], 0
        for key, (wanted, _) in decided.places.items():
            if key in pinned:
                place = max(wanted, place + 1)
                more = sum(1 + hit.same_title for hit in folded if _title(hit) == _title(pinned[key]))
                hits.insert(place - 1, replace(pinned[key], same_title=more))
        facts = decided.facts if explain else lambda _key: ()
        return [replace(hit, rank=rank, rules=facts(hit.key)) for rank, hit in enumerate(hits[:k], 1)]

    def _decided(self, rows: list[dict[str, Any]], synonyms: Sequence[Synonym]) -> QueryRules:
        hidden: dict[str, str] = {}
        factors: dict[str, tuple[float, str]] = {}
        for row in rows:
            if row["rule"] == "hide":
                hidden |= {key: row["line_key"] for key in self._products(row) if key not in hidden}
            elif row["rule"] == "boost":
                for key in self._products(row):
                    factor, lines = factors.get(key, (1.0, ""))
                    factors[key] = factor * row["factor"], " and ".join(filter(None, (lines, row["line_key"])))
        places: dict[str, tuple[int, str]] = {}
        for row in sorted((row for row in rows if row["rule"] == "pin"), key=lambda row: int(row["place"])):
            if row["product_key"] not in hidden:
                places.setdefault(row["product_key"], (row["place"], row["line_key"]))
        return QueryRules(places, factors, hidden, synonyms)

    def _products(self, row: dict[str, Any]) -> list[str]:
        """Return the keys of the products that a rule is about."""
        if row["product_key"] is not None:
            return [row["product_key"]]
        wanted = row["condition"], row["locale"]
        if wanted not in self._keys:
            condition = ProductFilter.parse(row["condition"])
            with self._home.lake.reading(self._snapshot) as connection:
                keys = condition.keys(connection)
            self._keys[wanted] = [key for key in keys if key.startswith(f"{row['locale']}:")]
        return self._keys[wanted]


def _moved(rules: QueryRules, first: Callable[[int], list[Hit]], limit: int, pinned: dict[str, Hit]) -> list[Hit]:
    """Return the first hits without the hidden and the pinned products, and with the boosted ones moved.

    Pinned products that are found are added to `pinned`, by key.
    """
    factor = max((factor for factor, _ in rules.factors.values()), default=1.0)
    left_out = rules.hidden.keys() | rules.places.keys()
    wide = max(limit, min(math.ceil(limit * factor), _FAR)) + min(len(left_out), limit)
    while True:
        hits = first(wide)
        kept = [hit for hit in hits if hit.key not in left_out]
        if len(kept) >= limit or len(hits) < wide:
            break
        wide *= 2
    pinned |= {hit.key: hit for hit in hits if hit.key in rules.places}
    ranked = [(rank, rules.factors.get(hit.key, (1.0, ""))[0], hit) for rank, hit in enumerate(kept, 1)]
    ranked.sort(key=lambda each: (each[0] / each[1], -each[1]))
    return [replace(hit, rank=rank) for rank, (_, _, hit) in enumerate(ranked[:limit], 1)]


def _title(hit: Hit) -> tuple[str, str]:
    return hit.locale, hit.title.casefold()


def best_features(every: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return for each candidate its pair features in the wording that matches it best; at equal matches in the first."""
    best, *others = every
    for other in others:
        better = other["matched_weight"].fill_null(0) > best["matched_weight"].fill_null(0)
        best = best.select(
            pl.when(better).then(other[name]).otherwise(pl.col(name)).alias(name) for name in best.columns
        )
    return best
