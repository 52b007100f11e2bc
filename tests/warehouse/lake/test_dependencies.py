"""The declared sources of a table are those that its SQL file reads."""

import pytest

from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import tables
from warehouse.lake.dependencies import DERIVATIONS, derivations
from warehouse.lake.sql_tree import tables_read

WITH_SQL = [table for table in DERIVATIONS if tables.source_file(table)]


@pytest.mark.parametrize("table", WITH_SQL)
def test_the_declared_sources_are_those_that_the_sql_reads(table):
    read = tables_read(tables.sql(table))
    if DERIVATIONS[table].refuses:
        read |= tables_read(tables.sql(f"quarantine.{table.replace('.', '_')}"))
    assert set(DERIVATIONS[table].sources) == read


def test_every_table_is_made_after_its_sources():
    made = {table for table in CONTRACTS if table.startswith("raw.")} | {"registry.feature_views", "fitted.words"}
    for table, derivation in DERIVATIONS.items():
        assert set(derivation.sources) <= made, table
        made.add(table)


def test_the_parameters_are_those_that_the_sql_names():
    for table in WITH_SQL:
        named = {name for name in ("judged_at", "validation_percent") if f"${name}" in tables.sql(table)}
        assert named == set(DERIVATIONS[table].parameters), table


def test_what_pairs_see_hangs_on_every_declared_time_series():
    assert derivations(["timeseries.prices"])["training.point_in_time"].everywhere == (
        "registry.feature_views",
        "timeseries.prices",
    )
