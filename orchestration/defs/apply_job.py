"""The job `apply`: a change of the catalog becomes a release, in one step of Dagster.

The step calls the functions of the assets one after another. As steps of their own, they would cost a fifth of a second each,
and few of them have anything to do after a small change.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from assets.core.steps import Step, steps
from assets.core.table_check import failure_line
from assets.run_context import RunContext

APPLY = "apply"
APPLY_STEP = "apply_changes"

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
        for step in steps(assets, APPLIED.resolve(assets)):
            end, began = run_context.progress(step.name), time.monotonic()
            for result in step.results(context, run_context):
                yield from _events(step, result)
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


def _events(step: Step, result: dg.MaterializeResult[Any]) -> Iterator[Event]:
    """Yield what Dagster stores of an asset: its materialization, and the evaluation of each check.

    Raises:
        dg.Failure: A blocking check did not pass.
    """
    version = result.data_version
    tags = {"dagster/data_version": version.value} if version else {}
    yield dg.AssetMaterialization(result.asset_key or step.key, metadata=result.metadata, tags=tags)
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
