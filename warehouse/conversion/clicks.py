"""Clicks: a log of what shoppers were shown and did becomes judgements, one per query and product.

The rule counts; it does not correct for position. A product at the top of a page is clicked more often than the same product
further down, so labels from clicks are partly those of the search that was logged.
"""

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from warehouse.conversion.typed_rows import make, problems_of, split_note, typing_rows
from warehouse.declaration.problems import Converted
from warehouse.declaration.source import Clicks, Source
from warehouse.errors import WarehouseError
from warehouse.lake.lake import scalar
from warehouse.wording import counted, named

COUNTS = ("impressions", "clicks", "carts", "orders")
_FAULTS = "SELECT file, row, unnest(problems, recursive := true) FROM click_rows WHERE len(problems) > 0"
_UNKNOWN = (
    "SELECT first.file, first.row, 'product_id' AS \"column\", product_id AS value, 'unknown_product' AS rule "
    "FROM unknown_products"
)
_EXAMPLES = 3


class NothingExactError(WarehouseError):
    """State that no pair of a click log is Exact.

    Attributes:
        files: The files of the source.
        rule: The field of `Clicks` and its value by which some pair would be Exact; empty if none would.
    """

    def __init__(self, message: str, hint: str, files: tuple[str, ...], rule: dict[str, float]) -> None:
        super().__init__(message, hint)
        self.files, self.rule = files, rule


def convert_clicks(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    rows: str,
    path: Path,
    *,
    known_products: str | None = None,
    now: datetime | None = None,
) -> Converted:
    """Write the judgements of a click log to a parquet file with the columns of raw.judgements, in the order of their keys.

    Impressions, clicks, carts and orders are counted per normalized query, locale and product, and `source.clicks` makes
    a label of them. With the column event a row is one event. Else a row has counters: impressions not declared are 1 a
    row, other counters not declared are 0, and without any counter a row is one click. The ids and the split are derived
    as for judgements, and the event_time is that of the newest row. A row with a problem is not counted.

    Args:
        connection: The database with the rows; it gets no table that stays.
        source: A source of clicks.
        rows: Name of a table or view with file, row and the declared columns as text.
        path: The parquet file to write.
        known_products: Name of a relation (product_locale, product_id) of the catalog; other products are left out, with
            a problem at the first row of each. None: every product is taken.
        now: A later event_time is a problem; None: the current time.

    Raises:
        WarehouseError: The catalog has none of the products, or no row has a declared event.
        NothingExactError: No pair is Exact.
    """
    rule = source.clicks
    files = ", ".join(source.files)
    with typing_rows(connection, source, rows) as declared:
        events = [(spelling, kind) for kind, names in (rule.events or {}).items() for spelling in names]
        connection.execute(
            "CREATE TEMP TABLE events AS "
            "SELECT DISTINCT spelled(unnest($spellings::VARCHAR[])) AS spelling, unnest($kinds::VARCHAR[]) AS kind",
            {"spellings": [spelling for spelling, _ in events], "kinds": [kind for _, kind in events]},
        )
        parameters = {f"has_{name}": name in declared for name in ("event", *COUNTS)}
        parameters["has_counter"] = not declared.isdisjoint(COUNTS)
        make(connection, "click_rows", parameters | {"now": now or datetime.now(UTC)})
        _find_unknown(connection, known_products, files)
        make(connection, "click_pairs", rule.model_dump(exclude={"events"}))
        _refuse_without_exact(connection, rule, source.files)
        make(connection, "judgements", {}, "click_judgements")
        connection.sql("FROM judgements").write_parquet(str(path))
        return Converted(path, problems_of(connection, _FAULTS, _UNKNOWN), _notes(connection, declared))


def _find_unknown(connection: duckdb.DuckDBPyConnection, known_products: str | None, files: str) -> None:
    """Create the table `unknown_products` (locale, product_id, first place); refuse a log without any known product."""
    known = f'SELECT product_locale AS locale, product_id FROM "{known_products}" WHERE product_id IS NOT NULL'
    where = f"ANTI JOIN ({known}) USING (locale, product_id)" if known_products else "WHERE false"
    connection.execute(
        "CREATE TEMP TABLE logged AS SELECT locale, product_id, min(struct_pack(file, row)) AS first "
        "FROM click_rows WHERE len(problems) = 0 GROUP BY locale, product_id"
    )
    connection.execute(f"CREATE TEMP TABLE unknown_products AS FROM logged {where}")
    if not known_products or not scalar(connection, "SELECT count(*) FROM logged"):
        return
    if scalar(connection, "SELECT (SELECT count(*) FROM logged) - count(*) FROM unknown_products"):
        return
    theirs, ours = (
        [
            f"{locale}:{product}"
            for locale, product in connection.execute(f"{query} ORDER BY ALL LIMIT {_EXAMPLES}").fetchall()
        ]
        for query in ("SELECT locale, product_id FROM logged", f"SELECT locale, product_id FROM ({known})")
    )
    raise WarehouseError(
        f"{files}: the catalog has none of the products, such as {named(theirs)}; it has {named(ours) or 'no product'}",
        "declare as product_id the column with the ids of the catalog, and as locale the same locales",
    )


def _refuse_without_exact(connection: duckdb.DuckDBPyConnection, rule: Clicks, files: tuple[str, ...]) -> None:
    ((pairs, exact, *highest),) = connection.execute(
        "SELECT count(*), count(*) FILTER (label = 'E'), "
        "max(impressions), max(clicks), max(carts), max(orders) FROM click_pairs"
    ).fetchall()
    if not pairs or exact:
        return
    if rule.events and not any(highest):
        frequent = connection.execute(
            "SELECT event FROM click_rows JOIN source_rows USING (file, row) WHERE len(problems) = 0 "
            f"GROUP BY event ORDER BY count(*) DESC, event LIMIT {_EXAMPLES}"
        ).fetchall()
        events = [str(event) for (event,) in frequent]
        raise WarehouseError(
            f"{', '.join(files)}: no row has an event of clicks.events; the column has {named(events)}",
            f'say in the source which events are clicks, such as: clicks.events = {{ clicks = ["{events[-1]}"] }}',
        )
    needed = f"{rule.exact_orders} orders or {rule.exact_carts} carts"
    needed += f" or {rule.exact_clicks} clicks" if rule.exact_clicks else ""
    needed += f", and clicks in {rule.exact_rate:.0%} of the impressions" if rule.exact_rate else ""
    most = ", ".join(f"{count:,} {name}" for name, count in zip(COUNTS, highest, strict=True))
    enough = _enough(rule, *highest[1:])
    lower = "".join(
        f"write a lower value in the source, such as: clicks.{name} = {value:g}" for name, value in enough.items()
    )
    raise NothingExactError(
        f"{', '.join(files)}: no pair of query and product is Exact, which needs {needed}; the highest counts of a pair are "
        f"{most}",
        lower or "declare the column with clicks, carts or orders, or take a log that has some",
        files,
        enough,
    )


def _enough(rule: Clicks, clicks: int, carts: int, orders: int) -> dict[str, float]:
    """Return the field of the rule and its value for some pair to be Exact, by the highest counts of a pair; empty for none."""
    highest = {"exact_orders": orders, "exact_carts": carts, "exact_clicks": clicks}
    if any(count >= (getattr(rule, name) or count + 1) for name, count in highest.items()):
        return {"exact_rate": rule.exact_rate / 2}
    return next(({name: max(1, count // 2)} for name, count in highest.items() if count), {})


def _notes(connection: duckdb.DuckDBPyConnection, declared: set[str]) -> tuple[str, ...]:
    notes = []
    if "event" in declared:
        other = connection.execute(
            "SELECT count(*), list_sort(list(DISTINCT event))[:5] FROM source_rows "
            "WHERE NOT is_blank(event) AND spelled(event) NOT IN (SELECT spelling FROM events)"
        ).fetchall()
        for rows, events in other:
            if rows:
                notes.append(f"{counted(rows, 'row')} not counted, since clicks.events lacks {', '.join(events)}")
    elif declared.isdisjoint(COUNTS):
        notes.append("every row counted as one click, since no counter and no event is declared")
    elif "impressions" not in declared:
        notes.append("every row counted as one impression, since no column of impressions is declared")
    ((pairs, exact, substitute, irrelevant),) = connection.execute(
        "SELECT count(*), count(*) FILTER (label = 'E'), count(*) FILTER (label = 'S'), count(*) FILTER (label = 'I') "
        "FROM click_pairs"
    ).fetchall()
    notes.append(
        f"{counted(pairs, 'pair')} of query and product counted: {exact:,} Exact, {substitute:,} Substitute, "
        f"{irrelevant:,} Irrelevant, {pairs - exact - substitute - irrelevant:,} left out for too few events"
    )
    without = scalar(
        connection,
        "SELECT count(*) FROM (SELECT query_id FROM judgements GROUP BY query_id, product_locale "
        "HAVING count(*) FILTER (esci_label = 'E') = 0)",
    )
    if without:
        notes.append(f"{counted(without, 'query', 'queries')} without an Exact product kept")
    notes += [
        "query_id derived from query and locale",
        split_note(connection),
        "position in the page not corrected for",
    ]
    return tuple(notes)
