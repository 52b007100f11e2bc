"""The dependencies: of which sources each derived table is made, and which of its rows a changed row of a source reaches.

It is the one place that says so. What follows from it: the rows that a refresh looks at, the part of its sources that a
table's SQL file reads, the assets' `deps`, and the order in which tables are made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Derivation:
    """Say of which rows of its sources each row of a derived table is made.

    A table has one base: a row of the table is made of one row of the base, or of several. The base's rows lead to the rows
    of other sources that are read for them.

    Attributes:
        table: The derived table.
        base: The source whose rows make the table's rows.
        key: SQL over a row of the base: the key of the row that it makes, or has a part in.
        lookups: For each further source SQL over a row of the base: the key of the row of the source that is read for it.
        peers: SQL over a row of the base: rows of equal value are made together, None: each by itself.
        members: Sources of which the set of keys counts for every row: one that comes or goes reaches all of them.
        everywhere: Sources of which any changed row reaches all rows.
        is_fitted: Whether every row is made of all of the base: a change that reaches one row reaches all.
        target: The column of the table that `key` gives.
        parameters: The settings of the warehouse that the table's SQL file is given.
        transform: The module whose code has a part in the rows, beside the table's SQL file if it has one.
        refuses: Whether rows of the base that are left out go to quarantine, found by the SQL file of `sql/quarantine/`.
    """

    table: str
    base: str
    key: str = "key"
    lookups: Mapping[str, str] = field(default_factory=dict)
    peers: str | None = None
    members: tuple[str, ...] = ()
    everywhere: tuple[str, ...] = ()
    is_fitted: bool = False
    target: str = "key"
    parameters: tuple[str, ...] = ()
    transform: str | None = None
    refuses: bool = False

    @property
    def is_one_to_one(self) -> bool:
        """Tell whether `key` is the base's own key, so that each row is made of one row of the base."""
        return self.key == "key"

    @property
    def sources(self) -> tuple[str, ...]:
        """Return all tables that the table is made of, the base first."""
        return (self.base, *self.lookups, *self.members, *self.everywhere)


_JUDGED_QUERY = "concat(product_locale, ':', query_id)"
_JUDGED_PRODUCT = "concat(product_locale, ':', product_id)"

DERIVATIONS = {
    derivation.table: derivation
    for derivation in (
        Derivation("staging.products", base="raw.products", transform="warehouse.transform.text_cleaning"),
        Derivation(
            "staging.queries",
            base="raw.judgements",
            key=_JUDGED_QUERY,
            lookups={"raw.sources": "query_id::VARCHAR", "staging.products": _JUDGED_PRODUCT},
            transform="warehouse.transform.text_cleaning",
        ),
        Derivation(
            "staging.judgements",
            base="raw.judgements",
            lookups={"staging.queries": _JUDGED_QUERY, "staging.products": _JUDGED_PRODUCT},
            parameters=("judged_at",),
            refuses=True,
        ),
        Derivation(
            "training.queries",
            base="staging.queries",
            peers="concat(locale, ':', lower(query))",
            parameters=("validation_percent",),
        ),
        Derivation(
            "fitted.vocabulary",
            base="staging.judgements",
            lookups={"training.queries": "query_key", "staging.products": "product_key"},
            is_fitted=True,
        ),
        Derivation("features.products", base="staging.products"),
        Derivation("features.queries", base="staging.queries", members=("fitted.vocabulary",)),
        Derivation(
            "features.pairs",
            base="staging.judgements",
            lookups={"staging.queries": "query_key", "staging.products": "product_key"},
        ),
        Derivation(
            "training.pairs",
            base="staging.judgements",
            lookups={
                "staging.queries": "query_key",  # whose text the refused rows show
                "training.queries": "query_key",
                "features.queries": "query_key",
                "staging.products": "product_key",
                "features.products": "product_key",
            },
            refuses=True,
        ),
        Derivation(
            "training.point_in_time",
            base="training.pairs",
            target="pair_key",
            everywhere=("registry.feature_views",),
            transform="warehouse.features.point_in_time",
        ),
    )
}
"""Every derived table of the lake, in an order in which they can be made."""


def derivations(feature_views: Iterable[str] = ()) -> dict[str, Derivation]:
    """Return the derivations in a lake with some tables of time-series features, named as `timeseries.prices`."""
    pairs = DERIVATIONS["training.point_in_time"]
    return DERIVATIONS | {pairs.table: replace(pairs, everywhere=(*pairs.everywhere, *sorted(feature_views)))}
