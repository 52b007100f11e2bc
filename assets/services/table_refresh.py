"""Table refresh: a lake table recomputed by its SQL file, as the run requires."""

from typing import Any

from assets.run_context import RunContext
from warehouse.lake.incremental import refresh
from warehouse.lake.reconcile import Plan


def refresh_table(run_context: RunContext, connection: Any, table: str) -> tuple[Plan, int]:
    """Refresh a table in the transaction of `run_context.watermarks.writing`, with the settings of the run.

    Returns:
        The changes, and the number of the table's rows now in quarantine.
    """
    settings, watermarks = run_context.home.lake.settings, run_context.watermarks
    return refresh(connection, table, settings, watermarks, whole=run_context.compares_whole)
