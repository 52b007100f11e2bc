"""The derivation of all tables from the raw ones, in order: what a run's assets do one by one."""

from collections.abc import Sequence

from warehouse import dated
from warehouse.contracts.dated import DatedTable
from warehouse.dependencies import DERIVATIONS
from warehouse.incremental import refresh
from warehouse.lake import Lake
from warehouse.staging import refresh_products, refresh_queries


def derive(lake: Lake, declared: Sequence[DatedTable] = (), *, whole: bool = False) -> None:
    """Bring every derived table up to date with the raw ones; `whole` compares all rows, whatever the watermarks say."""
    for table in DERIVATIONS:
        if table == "staging.products":
            refresh_products(lake, whole=whole)
        elif table == "staging.queries":
            refresh_queries(lake, whole=whole)
        elif table == "training.dated":
            with lake.writing() as connection:
                dated.register(connection, declared, lake.settings)
            with lake.writing() as connection:
                dated.refresh_training(connection, lake.settings, whole=whole)
        else:
            with lake.writing() as connection:
                refresh(connection, table, lake.settings, whole=whole)
