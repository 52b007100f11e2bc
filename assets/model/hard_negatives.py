"""Hard negatives: products near a train query that nobody judged relevant to it, mined by the frozen encoder."""

from collections.abc import Iterator

import dagster as dg

from assets.core.steps import multi_asset
from assets.core.table_asset import table_assets, table_result
from assets.core.table_check import table_check
from assets.run_context import RunContext
from assets.services.negative_mining import refresh_negatives
from warehouse.features import hard_negatives as stored
from warehouse.features.hard_negatives import MINING, NEGATIVES


@table_check(
    "training.negatives",
    "No hard negative is judged E, S or C for its query.",
    is_blocking=True,
    beside=("staging.queries", "staging.judgements"),
)
def negatives_are_not_relevant(run_context: RunContext) -> dg.AssetCheckResult:
    """Assert that training never pushes a query away from a relevant product."""
    with run_context.home.lake.reading() as connection:
        relevant = stored.relevant(connection)
    return dg.AssetCheckResult(passed=relevant == 0, metadata={"relevant_negatives": relevant})


@multi_asset(
    name="negatives",
    **table_assets(
        (NEGATIVES.table, MINING.table),
        deps=("training.pairs", "embeddings.texts"),
        kinds={"numpy"},
        checks=[negatives_are_not_relevant],
    ),
)
def negatives(
    context: dg.AssetExecutionContext, run_context: dg.ResourceParam[RunContext]
) -> Iterator[dg.MaterializeResult]:
    """Mine hard negatives, unless these pairs and products were mined before with this encoder and these settings.

    The frozen encoder mines them, not the live model. Otherwise each release would change the negatives and the next
    model, and no model could be reproduced from its snapshot and settings.
    """
    changes = refresh_negatives(run_context)
    for contract in (NEGATIVES, MINING):
        checks = [negatives_are_not_relevant] if contract is NEGATIVES else []
        yield table_result(context, run_context, contract.table, changes.get(contract.table, {}), checks=checks)
