"""Each check fails on the defect that it is for."""

import sqlite3

import pytest

from assets.core.contract_checks import check_results
from assets.model.hard_negatives import negatives_are_not_relevant
from assets.release import release_checks
from assets.release.drift import features_are_steady
from assets.tables.time_series import pairs_see_no_future
from assets.tables.training import train_is_apart_from_test
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.contracts.registry import CONTRACTS
from warehouse.history.checkpoints import BOOKKEEPING

CHECKS = (
    train_is_apart_from_test,
    pairs_see_no_future,
    negatives_are_not_relevant,
    features_are_steady,
    *release_checks.CHECKS,
)
NAMED = {(check.table, check.name): check for check in CHECKS}


@pytest.fixture(scope="module")
def run_context(copy_home):
    return open_run_context(load_settings(copy_home()))


@pytest.mark.parametrize(("table", "name"), NAMED)
def test_every_check_passes_on_a_good_home(run_context, table, name):
    result = NAMED[table, name](run_context)
    assert result.passed, result.metadata
    assert (result.asset_key.path, result.check_name) == (table.split("."), name)


def test_every_contract_holds_on_a_good_home(run_context):
    contracts = [contract for table, contract in CONTRACTS.items() if table not in BOOKKEEPING]
    results = [result for contract in contracts for result in check_results(run_context, contract)]
    assert [".".join(result.asset_key.path) for result in results] == [contract.table for contract in contracts]
    assert all(result.passed for result in results), results


@pytest.fixture
def spoiled(copy_home):
    """Return what spoils a copied home with SQL and opens it."""

    def make(*statements: str):
        run_context = open_run_context(load_settings(copy_home()))
        with run_context.home.lake.writing() as connection:
            for statement in statements:
                connection.execute(statement)
        return run_context

    return make


def test_the_contract_check_counts_rows_under_one_key(spoiled):
    run_context = spoiled(
        "INSERT INTO features.products SELECT * FROM features.products ORDER BY key LIMIT 2",
        "INSERT INTO staging.queries SELECT * REPLACE (NULL AS key) FROM staging.queries LIMIT 1",
    )
    expected = {
        "features.products": {"duplicate_key": 2},
        "staging.queries": {"key_missing": 1},
        "staging.products": {},
    }
    for table, broken in expected.items():
        (result,) = check_results(run_context, CONTRACTS[table])
        broken_rows = {rule: fact.value["rows"] for rule, fact in result.metadata.items() if rule != "rules"}
        assert (result.passed, broken_rows) == (not broken, broken)


def test_a_train_query_that_stands_in_test_is_found_whatever_its_case(spoiled):
    run_context = spoiled(
        "INSERT INTO training.pairs SELECT * REPLACE ('leak' AS key, upper(query) AS query, 'train' AS split) "
        "FROM training.pairs WHERE split = 'test' ORDER BY key LIMIT 1"
    )
    result = NAMED["training.pairs", "train_is_apart_from_test"](run_context)
    assert (result.passed, result.metadata["leaked_queries"].value) == (False, 1)


def test_the_same_query_in_another_locale_is_no_leak(spoiled):
    run_context = spoiled(
        "INSERT INTO training.pairs SELECT * REPLACE ('other' AS key, 'fr' AS locale, 'train' AS split) "
        "FROM training.pairs WHERE split = 'test' ORDER BY key LIMIT 1"
    )
    assert NAMED["training.pairs", "train_is_apart_from_test"](run_context).passed


def test_vectors_are_compared_with_the_catalog_of_their_release(spoiled):
    run_context = spoiled("DELETE FROM features.products WHERE key IN (SELECT min(key) FROM features.products)")
    check = NAMED["releases.live", "vectors_match_the_catalog"]
    assert check(run_context).passed  # the release's own snapshot still has the product

    live, vectors = run_context.home.releases.live(), run_context.home.vectors
    gone = vectors.current(live.vector_table)["key"].sort().to_list()[:3]
    written = vectors.apply(live.vector_table, [], gone, 384)
    run_context.home.releases.publish(
        kind="catalog",
        model_id=live.model_id,
        encoder_fingerprint=live.encoder_fingerprint,
        vector_table=live.vector_table,
        vector_version=written.version,
        snapshot=run_context.home.lake.snapshot(),
        published_at=live.published_at,
    )
    result = check(run_context)
    assert (result.passed, result.metadata["missing"].value, result.metadata["extra"].value) == (False, 2, 0)


def test_a_home_without_a_release_does_not_pass(tmp_path):
    run_context = open_run_context(load_settings(tmp_path / "home"))
    assert not NAMED["releases.live", "vectors_match_the_catalog"](run_context).passed


def test_an_online_value_that_is_not_the_lakes_is_found(copy_home):
    run_context = open_run_context(load_settings(copy_home()))
    check, online = NAMED["releases.live", "online_matches_offline"], run_context.home.online
    with sqlite3.connect(online.path) as database:
        database.execute("""UPDATE product SET "values" = replace("values", 'false', 'true')""")
        database.execute("UPDATE snapshots SET rows = rows - 1 WHERE entity = 'query'")
    database.close()
    result = check(run_context)
    different = result.metadata["different"].value
    assert not result.passed
    assert len(different["product"]) > 10
    assert len(different["query"]) == 1
    online.path.unlink()
    assert not check(open_run_context(load_settings(run_context.home.root))).passed
