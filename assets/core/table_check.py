"""Table checks: what must hold of an asset, declared apart from the step that looks."""

from collections.abc import Callable
from dataclasses import dataclass

import dagster as dg

from assets.keys import asset_key
from assets.run_context import RunContext

Look = Callable[[RunContext], dg.AssetCheckResult]


@dataclass(frozen=True)
class TableCheck:
    """Say what must hold of an asset, and how it is found out.

    Attributes:
        table: The asset, named as a table: `training.pairs`.
        name: Of the check, unique among those of the asset.
        description: What must hold.
        look: Finds out.
        is_blocking: Whether what is downstream of the asset is not made if it does not hold.
        beside: The tables that it reads besides the asset.
    """

    table: str
    name: str
    description: str
    look: Look
    is_blocking: bool = False
    beside: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """Return the tables that it hangs on."""
        return (self.table, *self.beside)

    def __call__(self, run_context: RunContext) -> dg.AssetCheckResult:
        """Return what is found, under the check's name; of one that blocks nothing, an error is a warning like any other."""
        try:
            found = self.look(run_context)
        except Exception as error:
            if self.is_blocking:
                raise
            found = dg.AssetCheckResult(
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"it could not be found out: {type(error).__name__}: {error}",
            )
        return found._replace(asset_key=asset_key(self.table), check_name=self.name)

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """Return what Dagster is told of the check."""
        return dg.AssetCheckSpec(
            self.name, asset=asset_key(self.table), description=self.description, blocking=self.is_blocking
        )


def table_check(
    table: str, description: str, *, is_blocking: bool = False, beside: tuple[str, ...] = ()
) -> Callable[[Look], TableCheck]:
    """Return the decorator that makes a function the check of its name."""
    return lambda look: TableCheck(table, look.__name__, description, look, is_blocking, beside)
