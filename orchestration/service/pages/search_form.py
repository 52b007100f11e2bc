"""The form of a search: what the address of a page asks for, and the addresses of its links."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlencode

from orchestration.serving.open_release import MODES, Mode
from warehouse.errors import WarehouseError

PAGE_HITS = 10
MOST_PAGES = 20
"""The number of pages that can be turned to."""
MOST_CHARS = 2_000
"""The number of characters of a query that a search reads."""

_MOST_FILTERS = 20
Path = Literal["/", "/compare"]


@dataclass(frozen=True)
class SearchForm:
    """Hold what a page of search results shows.

    Attributes:
        query: the text, up to 2,000 characters; empty: nothing is searched for.
        locale: the only locale; None: all.
        mode: the way to search.
        where: the filter that was typed; empty: none.
        filters: the filters that were chosen from facets; all of them hold.
        page: number of the page, from 1.
        left: the way to search on the left of a comparison.
        right: the way to search on its right.
    """

    query: str = ""
    locale: str | None = None
    mode: Mode = "ranked"
    where: str = ""
    filters: tuple[str, ...] = ()
    page: int = 1
    left: Mode = "vector"
    right: Mode = "ranked"

    @classmethod
    def read(cls, parameters: Iterable[tuple[str, str]]) -> "SearchForm":
        """Return the form of an address's parameters. Unknown parameters have no effect.

        Raises:
            WarehouseError: A mode or the page is none, or there are more than 20 filters.
        """
        every = list(parameters)
        one = dict(every)
        filters = tuple(dict.fromkeys(value for name, value in every if name == "f" and value.strip()))
        if len(filters) > _MOST_FILTERS:
            raise WarehouseError(f"the search has {len(filters)} filters", f"use at most {_MOST_FILTERS}")
        return cls(
            query=one.get("q", "")[:MOST_CHARS].strip(),
            locale=one.get("locale", "").strip() or None,
            mode=_mode(one.get("mode") or "ranked"),
            where=one.get("where", "").strip(),
            filters=filters,
            page=_page(one.get("page") or "1"),
            left=_mode(one.get("left") or "vector"),
            right=_mode(one.get("right") or "ranked"),
        )

    @property
    def condition(self) -> str | None:
        """Return the filters as one condition; None without any."""
        every = [*filter(None, (self.where,)), *self.filters]
        return every[0] if len(every) == 1 else " AND ".join(f"({each})" for each in every) or None

    def address(self, path: Path = "/", **changes: Any) -> str:
        """Return the address of a page with this form and some changes; other changes than of the page start at page 1."""
        form = replace(self, **({"page": 1} | changes))
        ways = {"left": form.left, "right": form.right} if path == "/compare" else {"mode": form.mode}
        usual = {"mode": "ranked", "left": "vector", "right": "ranked"}
        values: list[tuple[str, str]] = [
            ("q", form.query),
            ("locale", form.locale or ""),
            *((name, value) for name, value in ways.items() if value != usual[name]),
            ("where", form.where),
            *(("f", each) for each in form.filters),
            ("page", str(form.page) if form.page > 1 else ""),
        ]
        query = urlencode([(name, value) for name, value in values if value])
        return f"{path}?{query}" if query else path

    def with_filter(self, condition: str) -> str:
        """Return the address with one more filter."""
        return self.address(filters=tuple(dict.fromkeys((*self.filters, condition))))

    def without_filter(self, condition: str) -> str:
        """Return the address without a filter."""
        return self.address(filters=tuple(each for each in self.filters if each != condition))


def _mode(text: str) -> Mode:
    if text not in MODES:
        raise WarehouseError(f"{text[:40]!r} is no way to search", f"choose one of {', '.join(MODES)}")
    return text


def _page(text: str) -> int:
    number = int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0
    if not 1 <= number <= MOST_PAGES:
        raise WarehouseError(f"{text[:40]!r} is no page of results", f"give a number from 1 to {MOST_PAGES}")
    return number
