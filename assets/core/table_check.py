"""Table checks: rules of an asset, declared apart from the step that runs them."""

from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from assets.keys import asset_key
from assets.run_context import RunContext

Look = Callable[[RunContext], dg.AssetCheckResult]


@dataclass(frozen=True)
class TableCheck:
    """Declare a rule of an asset and the function that checks it.

    Attributes:
        table: The asset, named as a table: `training.pairs`.
        name: The check's name, unique within the asset.
        description: The rule.
        look: The function that checks the rule.
        is_blocking: Whether a failed check stops the downstream assets.
        beside: The other tables that the check reads.
    """

    table: str
    name: str
    description: str
    look: Look
    is_blocking: bool = False
    beside: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Return all tables that the check reads."""
        return (self.table, *self.beside)

    def __call__(self, run_context: RunContext) -> dg.AssetCheckResult:
        """Run the check; an error in a check that does not block becomes a warning."""
        try:
            result = self.look(run_context)
        except Exception as error:
            if self.is_blocking:
                raise
            result = dg.AssetCheckResult(
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"it could not be found out: {type(error).__name__}: {error}",
            )
        return result._replace(asset_key=asset_key(self.table), check_name=self.name)

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """Return Dagster's specification of the check."""
        return dg.AssetCheckSpec(
            self.name, asset=asset_key(self.table), description=self.description, blocking=self.is_blocking
        )


def table_check(
    table: str, description: str, *, is_blocking: bool = False, beside: tuple[str, ...] = ()
) -> Callable[[Look], TableCheck]:
    """Return a decorator that turns a function into a check with the function's name."""
    return lambda look: TableCheck(table, look.__name__, description, look, is_blocking, beside)


def failure_line(evaluation: dg.AssetCheckEvaluation) -> str:
    """Return the table, the check and its description of the failure."""
    description = f": {evaluation.description}" if evaluation.description else ""
    return f"{'.'.join(evaluation.asset_key.path)} fails the check {evaluation.check_name}{description}"
