"""Jobs of one step: they call the functions of the assets one after another within one step of Dagster.

As steps of their own, the functions would cost a fifth of a second each, and few of them have anything to do after a small
change or none.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from assets.core.steps import Step, steps
from assets.core.table_check import failure_line
from assets.run_context import RunContext

APPLY, REBUILD = "apply", "rebuild"
ONE_STEPS = ("apply_changes", "make_assets")
"""The names of the steps of these jobs."""

APPLIED = (
    dg.AssetSelection.all()
    - dg.AssetSelection.groups("model", "evaluation", "monitoring")
    - dg.AssetSelection.assets("registry/tables", "registry/features", "registry/lineage")
    - dg.AssetSelection.assets("training/negatives", "training/mining")
)
"""The assets that depend on the catalog, and not on measurements of a model."""

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def apply_job(assets: Sequence[dg.AssetsDefinition]) -> dg.JobDefinition:
    """Return the job that makes those of the assets that a change of the catalog may change."""
    op = _one_step("apply_changes", assets, APPLIED)

    @dg.job(
        name=APPLY,
        description="Applies a change of the catalog: raw files to a release under the live model. The next build measures "
        "the model, and writes the monitoring and registry tables.",
        config={"resources": {"run_context": {"config": {"pin_live_model": True}}}},
    )
    def job() -> None:
        op()

    return job


def rebuild_job(assets: Sequence[dg.AssetsDefinition]) -> dg.JobDefinition:
    """Return the job that makes what the job `build` makes."""
    op = _one_step("make_assets", assets, dg.AssetSelection.all())

    @dg.job(name=REBUILD, description="Does what build does, in one step: for files that were ingested before.")
    def job() -> None:
        op()

    return job


def _one_step(name: str, assets: Sequence[dg.AssetsDefinition], selection: dg.AssetSelection) -> dg.OpDefinition:
    """Return the op that makes the selected assets, and notes the seconds of each function in the run context."""

    @dg.op(name=name, out={}, description="Makes the assets one after another.")
    def make(context: dg.OpExecutionContext, run_context: dg.ResourceParam[RunContext]) -> Iterator[Event]:
        for step in steps(assets, selection.resolve(assets)):
            end, began = run_context.progress(step.name), time.monotonic()
            for result in step.results(context, run_context):
                yield from _events(step, result)
            run_context.seconds[step.name] = round(time.monotonic() - began, 3)
            end(1)

    return make


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
