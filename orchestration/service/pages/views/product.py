"""The content of a product's page: its values with their meaning and origin, its history, judgements and similar products."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from orchestration.service.pages.judged_labels import JudgedQuery, queries_of_product
from orchestration.service.pages.release_facts import ReleaseFacts
from orchestration.service.pages.views.search import Row, images, rows_of
from orchestration.serving.searcher import Searcher
from warehouse.catalog.column_lineage import Step, recorded
from warehouse.contracts.contract import Contract
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import feature_views
from warehouse.home import Home
from warehouse.lake import tables
from warehouse.operations.delta_history import delta_history
from warehouse.serving.release_log import Release

_SIMILAR = 8
_MOST_QUERIES = 30
_MOST_RELEASES = 30  # to compare for the history
_TEXTS = ("title", "brand", "color", "description", "bullet_points")
_STAGED, _FEATURES, _DELTAS = "staging.products", "features.products", "raw.deltas"
_EVENT = "SELECT op, event_time, sequence_number FROM raw.events WHERE \"table\" = 'raw.products' AND row_key = ?"


@dataclass(frozen=True)
class Value:
    """Show one value of a product.

    Attributes:
        name: its name in a lookup.
        value: the value.
        meaning: what the contract of its table says it means.
        tower: how the towers read it; None: no tower does.
        column: table and column of the lake.
        made_from: the columns that it is computed from, and by what.
        files: the columns of input files that it comes from in the end.
    """

    name: str
    value: Any
    meaning: str
    tower: str | None
    column: str
    made_from: list[str]
    files: list[str]

    @property
    def origin(self) -> str:
        """Return the columns of input files without their files, each once; the lake's column if no file has it."""
        return ", ".join(dict.fromkeys(each.partition(": ")[2] for each in self.files)) or self.column


@dataclass(frozen=True)
class Change:
    """Tell what was different in a release: the values that changed, or that the product came or went."""

    release: Release
    what: str
    values: list[tuple[str, Any, Any]]


@dataclass(frozen=True)
class Product:
    """Show a product.

    Attributes:
        key: its key.
        texts: title, brand, color, description and bullet points that it has.
        images: addresses of its images.
        attributes: the values of the catalog's attributes.
        features: the features that the pipeline computed.
        delta: the delta file that changed the product last, with `op` and `event_time`; None: no delta did.
        changes: how its values differed from release to release, newest first.
        queries: the queries for which it is judged.
        similar: the products most like it.
    """

    key: str
    texts: dict[str, Value]
    images: list[str]
    attributes: list[Value]
    features: list[Value]
    delta: dict[str, Any] | None
    changes: list[Change]
    queries: list[JudgedQuery]
    similar: list[Row]


def product(home: Home, searcher: Searcher, facts: ReleaseFacts, values: Mapping[str, Any]) -> Product:
    """Return the page of a product of the searcher's release.

    Args:
        home: The home.
        searcher: Finds similar products.
        facts: Of the searcher's release.
        values: The product's row in the release's lookup.

    Raises:
        WarehouseError: A part of the release is gone.
    """
    key, release = str(values["key"]), searcher.release
    with home.lake.reading(release.snapshot) as connection:
        origins = _Origins(recorded(connection))
        staged = connection.execute(f"SELECT {', '.join(_TEXTS)} FROM {_STAGED} WHERE key = ?", [key]).pl().to_dicts()
        declared = [view for view, _ in feature_views.declarations(connection) if view.entity == "product"]
        event = _event(connection.execute(_EVENT, [key]).fetchone()) if tables.exists(connection, _DELTAS) else None
    texts = dict(staged[0]) if staged else {name: values.get(name) for name in ("title", "brand", "color")}
    sources: dict[str, tuple[Contract, str]] = {
        view.feature(column.name): (view.contract, column.name) for view in declared for column in view.columns
    }
    own = CONTRACTS[_FEATURES]
    computed = {name: (own, name) for name in values if name in own.columns and name != own.key}
    static = {attribute.feature for attribute in facts.attributes}
    similar = searcher.similar(key, _SIMILAR)
    return Product(
        key,
        {name: origins.value(name, text, CONTRACTS[_STAGED], name) for name, text in texts.items() if text},
        images(values, facts.attributes),
        [origins.value(name, values.get(name), *sources[name]) for name in sources if name in static],
        [
            *(origins.value(name, values[name], *source) for name, source in computed.items()),
            *(origins.value(name, values.get(name), *sources[name]) for name in sources if name not in static),
        ],
        _delta(home, event),
        _changes(home, release, key),
        queries_of_product(home, release, key, _MOST_QUERIES),
        rows_of(home, release, facts, similar, {}, ()),
    )


class _Origins:
    """Follow the columns of tables to what they are made from."""

    def __init__(self, steps: Mapping[str, list[Step]]) -> None:
        self._steps: dict[tuple[str, str], list[Step]] = {}
        for each in steps.values():
            for step in each:
                self._steps.setdefault((step.table, step.column), []).append(step)
        self._made = {table for table, _ in self._steps}

    def value(self, name: str, value: Any, contract: Contract, column: str) -> Value:
        """Return a value with its meaning and origin."""
        direct = self._steps.get((contract.table, column), [])
        made_from = [f"{step.source_table}.{step.source_column} by {step.made_by}" for step in direct]
        tower = (contract.columns[column].metadata or {}).get("tower")
        files = sorted(f"{file}: {each}" for file, each in self._files(contract.table, column))
        return Value(name, value, contract.meaning(column), tower, f"{contract.table}.{column}", made_from, files)

    def _files(self, table: str, column: str) -> set[tuple[str, str]]:
        """Return the columns of files, which nothing makes, that a column comes from."""
        files: set[tuple[str, str]] = set()
        done: set[tuple[str, str]] = set()
        waiting = [(table, column)]
        while waiting:
            place = waiting.pop()
            if place in done:
                continue
            done.add(place)
            if place[0] not in self._made:
                files.add(place)
            waiting += [(step.source_table, step.source_column) for step in self._steps.get(place, ())]
        return files


def _event(row: tuple[Any, ...] | None) -> dict[str, Any] | None:
    return None if row is None else dict(zip(("op", "event_time", "sequence_number"), row, strict=True))


def _delta(home: Home, event: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the delta file of a product's last change."""
    if event is None:
        return None
    number = event["sequence_number"]
    return next((row | event for row in delta_history(home) if row["sequence_number"] == number), None)


def _changes(home: Home, live: Release, key: str) -> list[Change]:
    """Compare the product's row in each release with the one before, as far as the online store still has them."""
    releases = [each for each in home.releases.all() if each.release <= live.release][-_MOST_RELEASES:]
    rows: list[tuple[Release, dict[str, Any] | None]] = [
        (each, home.online.rows("product", each.snapshot, [key])[0])
        for each in releases
        if home.online.holds("product", each.snapshot)
    ]
    changes = []
    for (_, before), (release, after) in pairwise(rows):
        if before is None or after is None:
            if before is not after:
                changes.append(Change(release, "added" if before is None else "removed", []))
            continue
        differing = [
            (name, before.get(name), after.get(name))
            for name in dict.fromkeys((*before, *after))
            if before.get(name) != after.get(name)
        ]
        if differing:
            changes.append(Change(release, "changed", differing))
    if rows and rows[0][1] is not None:
        is_first = rows[0][0].release == 1
        changes.insert(0, Change(rows[0][0], "added" if is_first else "there before", []))
    return changes[::-1]
