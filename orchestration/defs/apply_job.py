"""The job `apply`: a change of the catalog becomes a release, in one step of Dagster.

The step calls the functions of the assets one after another. As steps of their own, they would cost a fifth of a second each,
and few of them have anything to do after a small change. Dagster is told of an asset if the asset, or one that it is made
from, has another data version than before, or if the asset becomes stale with time. The evaluations of an asset's checks
stand while its data version does. Dagster takes 10 to 40 ms for an event.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg

from assets.core.steps import Step, steps
from assets.core.table_check import failure_line
from assets.run_context import RunContext

APPLY = "apply"
APPLY_STEP = "apply_changes"
_DATA_VERSION = "dagster/data_version"

APPLIED = (
    dg.AssetSelection.all()
    - dg.AssetSelection.groups("model", "evaluation", "monitoring")
    - dg.AssetSelection.assets("registry/tables", "registry/features", "registry/lineage")
    - dg.AssetSelection.assets("training/negatives", "training/mining")
)
"""The assets that depend on the catalog, and not on measurements of a model."""

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def apply_job(assets: Sequence[dg.AssetsDefinition]) -> dg.JobDefinition:
    """Return the job that makes those of the assets that a change of the catalog may change.

    Its step notes the seconds of each function in the run context.
    """

    @dg.op(
        name=APPLY_STEP,
        out={},
        description="Makes the assets that a change of the catalog may change, one after another.",
    )
    def apply_changes(context: dg.OpExecutionContext, run_context: dg.ResourceParam[RunContext]) -> Iterator[Event]:
        chosen = APPLIED.resolve(assets)
        recorded, changed = _recorded_versions(context.instance, chosen), set[dg.AssetKey]()
        for step in steps(assets, chosen):
            end, began = run_context.progress(step.name), time.monotonic()
            for result in step.results(context, run_context):
                key = result.asset_key or step.key
                is_other = result.data_version is None or recorded.get(key) != result.data_version.value
                if is_other or not _has_passed(result):
                    changed.add(key)
                    yield _materialization(key, result)
                    yield from _evaluations(step, result)
                elif step.deps[key] & changed or key in step.dated:
                    yield _materialization(key, result)
            run_context.seconds[step.name] = round(time.monotonic() - began, 3)
            end(1)

    @dg.job(
        name=APPLY,
        description="Applies a change of the catalog: raw files to a release under the live model. The next build measures "
        "the model, and writes the monitoring and registry tables.",
        config={"resources": {"run_context": {"config": {"pin_live_model": True}}}},
    )
    def job() -> None:
        apply_changes()

    return job


def _recorded_versions(instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, str | None]:
    """Return the data version of the last materialization of each asset that has one."""
    versions: dict[dg.AssetKey, str | None] = {}
    for record in instance.get_asset_records(list(keys)):
        last = record.asset_entry.last_materialization
        if last is not None and last.asset_materialization is not None:
            versions[record.asset_entry.asset_key] = (last.asset_materialization.tags or {}).get(_DATA_VERSION)
    return versions


def _has_passed(result: dg.MaterializeResult[Any]) -> bool:
    return all(check.passed for check in result.check_results or ())


def _materialization(key: dg.AssetKey, result: dg.MaterializeResult[Any]) -> dg.AssetMaterialization:
    tags = {_DATA_VERSION: result.data_version.value} if result.data_version else {}
    return dg.AssetMaterialization(key, metadata=result.metadata, tags=tags)


def _evaluations(step: Step, result: dg.MaterializeResult[Any]) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield what Dagster stores of an asset's checks.

    Raises:
        dg.Failure: A blocking check did not pass.
    """
    for check in result.check_results or ():
        spec = step.checks[check.asset_key, check.check_name]
        evaluation = dg.AssetCheckEvaluation(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=check.passed,
            metadata=check.metadata,
            severity=check.severity,
            description=check.description,
            blocking=spec.blocking,
        )
        yield evaluation
        if spec.blocking and not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
            raise dg.Failure(failure_line(evaluation))
