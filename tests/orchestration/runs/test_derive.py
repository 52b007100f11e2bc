"""A derivation stops at a failed blocking check, as a run does, and reports the failure."""

import pytest

from assets.core import contract_checks
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.runs.derive import derive
from warehouse.errors import WarehouseError
from warehouse.lake.contract_check import Broken


def test_a_violated_contract_is_reported_in_one_line(copy_home, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    run_context = open_run_context(load_settings(copy_home()))
    verify = contract_checks.verify

    def broken(connection, contract, *rest):
        broken_rules = verify(connection, contract, *rest)
        return [Broken("key_missing", 2, ["a", "b"])] if contract.table == "staging.queries" else broken_rules

    monkeypatch.setattr(contract_checks, "verify", broken)
    with run_context.home.lake.writing() as connection:  # else no row is looked at again
        connection.execute("DELETE FROM registry.watermarks WHERE key = 'staging.queries contract'")
    with pytest.raises(WarehouseError, match=r"staging\.queries fails the check contract: .*key_missing.*2"):
        derive(run_context, "derived_tables")
