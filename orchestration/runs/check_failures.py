"""Failed checks: the one-line error that says why a run stopped."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from assets.core.table_check import failure_line
from warehouse.errors import WarehouseError


@contextmanager
def explain_failed_checks(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Replace Dagster's error about a blocking check with an error that describes the failure.

    Raises:
        WarehouseError: A blocking check of the run failed; the message names the table, the violated rules and some keys. Or
            Dagster raised another error; the message is Dagster's.
    """
    try:
        yield
    except (dg.DagsterError, dg.Failure) as error:
        failures = _failed_checks(instance, run_id)
        if not failures:
            hint = f"see run {run_id[:8]} in stockroom ui"
            if instance.is_ephemeral:  # its runs are not in the UI
                hint = "correct the cause that Dagster names, then run again"
            raise WarehouseError(f"the run stopped: {' '.join(str(error).split())}", hint) from error
        hint = "the tables that depend on it were not written, and searches answer as before"
        if any(one.asset_key.path[0] != "vectors" for one in failures):  # vector checks name their own fix
            hint += (
                "; look at the rows with stockroom sql, and ingest corrected rows with stockroom build --raw DIR or "
                "stockroom apply FILE"
            )
        raise WarehouseError(f"the run stopped: {'; '.join(map(failure_line, failures))}", hint) from error


def _failed_checks(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    """Return the evaluations of the run's failed blocking checks."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [entry.get_dagster_event().asset_check_evaluation_data for entry in events]
    return [one for one in evaluations if one.blocking and not one.passed]
