"""Readiness: whether lake and vectors are in the state that a complete run leaves, so that a release may use them."""

from assets.core.contract_checks import check_results, has_passed, keeps_contract
from assets.run_context import RunContext
from assets.services import text_refresh
from assets.services.serving_model import ServingModel
from assets.tables.time_series import pairs_see_no_future
from assets.tables.training import train_is_apart_from_test
from warehouse.contracts.time_series import is_feature_view
from warehouse.lake import incremental
from warehouse.lake.incremental import check_key
from warehouse.lake.sync_tables import DERIVED_TABLES, RAW_TABLES

_BLOCKING = (train_is_apart_from_test, pairs_see_no_future)
"""The blocking checks, beyond the contracts, of the tables that a release uses."""


def unfinished(run_context: RunContext, model_id: str) -> str | None:
    """Return which tables or vectors lack a step of a complete run, in words; None if none does."""
    home = run_context.home
    behind = incremental.lagging(run_context.watermarks.progress, home.derivations, home.settings)
    if behind:
        return (
            f"{', '.join(behind)} {'has' if len(behind) == 1 else 'have'} not followed earlier changes of the sources"
        )
    if not text_refresh.is_current(run_context):
        return "vectors.texts has not followed earlier changes of staging.products"
    broken = _broken_tables(run_context)
    if not broken and not _is_healthy(run_context, ServingModel.of(run_context, model_id).vector_table):
        return "vectors.products changed and was not checked"
    return f"{', '.join(broken)} {'fails' if len(broken) == 1 else 'fail'} a check" if broken else None


def _broken_tables(run_context: RunContext) -> list[str]:
    """Check the tables that a release uses, if they changed after their last checks, and return those that fail.

    Another asset may write to a table after its checks: an asset of a feature view records its file in raw.files.
    """
    progress, broken = run_context.watermarks.progress, []
    for table, contract in run_context.home.contracts.items():
        if table in (*RAW_TABLES, *DERIVED_TABLES, "registry.feature_views") or is_feature_view(table):
            checks = [check for check in _BLOCKING if check.table == table]
            if keeps_contract(progress, contract) and all(has_passed(progress, check) for check in checks):
                continue
            if not all(result.passed for result in check_results(run_context, contract, checks)):
                broken.append(table)
    return sorted(broken)


def _is_healthy(run_context: RunContext, table: str) -> bool:
    """Tell whether the rows of a vector table passed all checks, or are the live release's. Its index may be newer."""
    vectors, live = run_context.home.vectors, run_context.home.releases.live()
    version = vectors.version(table)
    if live is not None and live.vector_table == table and vectors.has_same_rows(table, live.vector_version, version):
        return True
    watermark = run_context.watermarks.by_key.get(index_key(table))
    return watermark is not None and vectors.has_same_rows(table, int(watermark.made_by), version)


def index_key(table: str) -> str:
    """Return the key of the watermark of a vector table's checks."""
    return check_key("vectors.products", table)
