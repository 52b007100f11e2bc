"""Dependencies: the sources of each derived table, and which of its rows a changed source row affects.

Dependencies are declared only here. They determine the rows that a refresh compares, the source rows that a table's SQL file
reads, the assets' `deps`, and the build order of the tables.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Derivation:
    """Map the rows of a derived table to the source rows that they are computed from.

    A table has one base: each row of the table is computed from one or more rows of the base. The base rows lead to the rows
    of the other sources.

    Attributes:
        table: The derived table.
        base: The source whose rows yield the table's rows.
        key: SQL over a base row: the key of the row that it yields or contributes to.
        lookups: By further source, SQL over a base row: the key of the source row that is looked up.
        peers: SQL over a base row: rows of equal value are computed together; None: each on its own.
        members: Sources whose set of keys affects every row: an added or deleted key affects all rows.
        everywhere: Sources of which any changed row affects all rows.
        is_fitted: Whether every row depends on the whole base, so that any change affects all rows.
        target: The column of the table that holds `key`.
        parameters: The warehouse settings that the table's SQL file takes.
        transform: The module that computes rows in Python, in addition to the SQL file if there is one.
        refuses: Whether the base rows left out are quarantined, by the SQL file in `sql/quarantine/`.
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
        """Tell whether `key` is the base's own key, so that each row comes from one base row."""
        return self.key == "key"

    @property
    def sources(self) -> tuple[str, ...]:
        """Return all source tables, the base first."""
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
            "staging.search_rules",
            base="raw.search_rules",
            everywhere=("staging.products",),
            is_fitted=True,  # lines may contradict each other
            transform="warehouse.search.search_rules",
        ),
        Derivation(
            "splits.queries",
            base="staging.queries",
            peers="concat(locale, ':', lower(query))",
            parameters=("validation_percent",),
        ),
        Derivation(
            "fitted.vocabulary",
            base="staging.judgements",
            lookups={"splits.queries": "query_key", "staging.products": "product_key"},
            is_fitted=True,
        ),
        Derivation("features.products", base="staging.products"),
        Derivation("features.queries", base="staging.queries", members=("fitted.vocabulary",)),
        Derivation(
            "features.pairs",
            base="staging.judgements",
            lookups={
                "staging.queries": "query_key",
                "features.queries": "query_key",
                "staging.products": "product_key",
            },
            everywhere=("fitted.words",),
        ),
        Derivation(
            "training.pairs",
            base="staging.judgements",
            lookups={
                "staging.queries": "query_key",  # whose text the refused rows show
                "splits.queries": "query_key",
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
"""Every derived table of the lake, in a valid build order."""


def derivations(feature_views: Iterable[str] = ()) -> dict[str, Derivation]:
    """Return the derivations in a lake with some time-series tables, with names such as `timeseries.prices`."""
    pairs = DERIVATIONS["training.point_in_time"]
    return DERIVATIONS | {pairs.table: replace(pairs, everywhere=(*pairs.everywhere, *sorted(feature_views)))}
