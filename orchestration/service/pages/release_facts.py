"""What every page needs to know about a release: its locales, attributes, facets and example queries, read once a release."""

import re
from dataclasses import dataclass
from threading import Lock

from warehouse.contracts.time_series import ColumnType
from warehouse.features import feature_views
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.lake.lake import quote
from warehouse.serving.release_log import Release

_MOST_FACETS = 12  # columns to count for a search
_EXAMPLES = 8
_IMAGE = re.compile(r"(^|_)(image|images|img|picture|photo|thumbnail)(_|$)")
_PRICE = re.compile(r"(^|_)(price|preis|prix|precio|prezzo|prijs|preco)(_|$)")
_FACET_ORDER: tuple[ColumnType, ...] = ("number", "flag", "list", "text")
_EXAMPLE_QUERIES = "SELECT query FROM staging.queries GROUP BY query ORDER BY md5(query) LIMIT ?"


@dataclass(frozen=True)
class Attribute:
    """Describe one attribute of the catalog's products.

    Attributes:
        table: the lake table with its values.
        name: its column, as a filter names it.
        feature: its name among the features of a lookup, as products.price.
        meaning: what the declaration says it means.
        holds: the type of its values.
        is_filtered: whether a search can filter by it.
    """

    table: str
    name: str
    feature: str
    meaning: str
    holds: ColumnType
    is_filtered: bool

    @property
    def is_image(self) -> bool:
        """Tell whether the name says that the values are addresses of images."""
        return self.holds == "text" and bool(_IMAGE.search(self.name))

    @property
    def is_price(self) -> bool:
        """Tell whether the name says that the values are prices."""
        return self.holds == "number" and bool(_PRICE.search(self.name))


@dataclass(frozen=True)
class ReleaseFacts:
    """Hold what is the same for every view of a release.

    Attributes:
        locales: the locales that have products, in order.
        attributes: the attributes of products, in the order of their declaration.
        examples: some judged queries; none where no query is judged.
        brand: the most frequent brand, as a filter names it.
    """

    locales: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    examples: tuple[str, ...]
    brand: str | None = None

    @property
    def facets(self) -> tuple[str, ...]:
        """Return the columns that a search counts: brand and color, then attributes, those with the fewest values first."""
        filtered = [each for each in self.attributes if each.is_filtered and each.holds in _FACET_ORDER]
        names = sorted(filtered, key=lambda each: (not each.is_price, _FACET_ORDER.index(each.holds)))
        own = ("brand", "color") if filtered else ("brand", "color", "title_price", "pack_count")
        return tuple(dict.fromkeys((*own, *(each.name for each in names))))[:_MOST_FACETS]

    @property
    def example_filter(self) -> str:
        """Return a filter that names columns of this catalog, to be read by people."""
        price = next((each.name for each in self.attributes if each.is_price and each.is_filtered), "title_price")
        return f"brand = {quote(self.brand)} AND {price} < 50" if self.brand else f"{price} < 50"


class FactsCache:
    """Keep the facts of the release that was asked for last. Threads may share a cache."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[Release, ReleaseFacts] | None = None

    def of(self, home: Home, release: Release) -> ReleaseFacts:
        """Return the facts of a release, from the lake at its snapshot where they are not known yet.

        Raises:
            WarehouseError: The lake no longer has the release's snapshot.
        """
        with self._lock:
            if self._kept is None or self._kept[0] != release:
                self._kept = release, _read(home, release)
            return self._kept[1]


def _read(home: Home, release: Release) -> ReleaseFacts:
    with home.lake.reading(release.snapshot) as connection:
        locales = connection.execute("SELECT DISTINCT locale FROM features.products ORDER BY locale").fetchall()
        attributes = [
            Attribute(view.table, column.name, view.feature(column.name), column.meaning, column.holds, column.filter)
            for view in feature_views.static_views(connection)
            for column in view.columns
        ]
        brands = "SELECT lower(brand) AS name FROM staging.products WHERE brand IS NOT NULL GROUP BY name"
        brand = connection.execute(f"{brands} ORDER BY count(*) DESC, name LIMIT 1").fetchone()
        has_queries = tables.exists(connection, "staging.queries")
        examples = connection.execute(_EXAMPLE_QUERIES, [_EXAMPLES]).fetchall() if has_queries else []
    return ReleaseFacts(
        tuple(str(locale) for (locale,) in locales),
        tuple(attributes),
        tuple(str(query) for (query,) in examples),
        None if brand is None else str(brand[0]),
    )
