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
        failed = _failed(instance, run_id)
        if not failed:
            # The UI has no scratch runs.
            seen = "" if instance.is_ephemeral else f"see run {run_id[:8]} in stockroom ui"
            raise WarehouseError(f"the run stopped: {' '.join(str(error).split())}", seen) from error
        hint = "what depends on it was not made, and searches answer as before"
        if any(one.asset_key.path[0] != "vectors" for one in failed):  # those say themselves what mends them
            hint += (
                "; look at the rows with stockroom sql, bring better ones in with stockroom build --raw DIR or "
                "stockroom apply FILE"
            )
        raise WarehouseError(f"the run stopped: {'; '.join(map(_line, failed))}", hint) from error


def _failed(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    """Return what the blocking checks of a run found that failed."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [entry.get_dagster_event().asset_check_evaluation_data for entry in events]
    return [one for one in evaluations if one.blocking and not one.passed]


def _line(found: dg.AssetCheckEvaluation) -> str:
    """Return table, check, and what it found."""
    told = f": {found.description}" if found.description else ""
    return f"{'.'.join(found.asset_key.path)} fails the check {found.check_name}{told}"
