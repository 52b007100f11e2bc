"""Failed checks: what stopped a run, in the one line that people and programs are told."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from warehouse.errors import WarehouseError


@contextmanager
def told_of_checks(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Turn Dagster's complaint about a blocking check into what the check found.

    Raises:
        WarehouseError: A blocking check of the run failed; the message names the table, the broken rules and some keys. Or
            Dagster complained of something else; the message is its own.
    """
    try:
        yield
    except dg.DagsterError as error:
        found = failed_checks(instance, run_id)
        if not found:
            raise WarehouseError(
                f"the run stopped: {' '.join(str(error).split())}", f"see run {run_id[:8]} in stockroom ui"
            ) from error
        raise WarehouseError(
            f"the run stopped: {'; '.join(found)}",
            "what depends on it was not made, and searches answer as before; look at the rows with stockroom sql, "
            "bring better ones in with stockroom build --raw DIR or stockroom apply FILE",
        ) from error


def failed_checks(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Return a line for each blocking check of a run that failed: table, check, and what it found."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [entry.get_dagster_event().asset_check_evaluation_data for entry in events]
    return [
        f"{'.'.join(one.asset_key.path)} fails the check {one.check_name}"
        + (f": {one.description}" if one.description else "")
        for one in evaluations
        if one.blocking and not one.passed
    ]
