"""A table check declares its name and its asset once, and reports its failures under both."""

from pathlib import Path

import dagster as dg
import pytest

from assets.core.table_check import table_check
from assets.run_context import RunContext
from warehouse.home import Home


@pytest.fixture
def run_context(tmp_path: Path) -> RunContext:
    return RunContext(Home(tmp_path))


@table_check("raw.products", "There is something.", is_blocking=True)
def there_is_something(run_context: RunContext) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, description="nothing", metadata={"rows": 0})


def test_a_check_has_the_name_of_its_function_and_tells_dagster_what_it_asks() -> None:
    spec = there_is_something.spec
    assert spec.key == dg.AssetCheckKey(dg.AssetKey(["raw", "products"]), "there_is_something")
    assert (spec.description, spec.blocking) == ("There is something.", True)


def test_a_check_reports_under_the_asset_and_its_name(run_context: RunContext) -> None:
    check_result = there_is_something(run_context)
    assert (check_result.asset_key, check_result.check_name) == (dg.AssetKey(["raw", "products"]), "there_is_something")
    assert (check_result.passed, check_result.description, check_result.metadata["rows"].value) == (False, "nothing", 0)


def test_an_error_of_a_check_that_blocks_nothing_is_a_warning_and_another_is_raised(run_context: RunContext) -> None:
    def look(_run_context: RunContext) -> dg.AssetCheckResult:
        raise ZeroDivisionError("by what")

    check_result = table_check("raw.products", "It can be seen.")(look)(run_context)
    assert (check_result.passed, check_result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check_result.description == "it could not be found out: ZeroDivisionError: by what"
    with pytest.raises(ZeroDivisionError):
        table_check("raw.products", "It can be seen.", is_blocking=True)(look)(run_context)
