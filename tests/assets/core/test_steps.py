"""The functions of assets are found again, in the order in which they can run."""

from types import SimpleNamespace

import dagster as dg

from assets.core.steps import asset, multi_asset, steps


def made(name: str) -> dg.MaterializeResult:
    return dg.MaterializeResult(asset_key=dg.AssetKey([name]), metadata={"by": name})


@asset(key="last", deps=["middle", "side"], check_specs=[dg.AssetCheckSpec("is_whole", asset="last", blocking=True)])
def last(context, run_context: dg.ResourceParam[object]):
    return made("last")


@multi_asset(name="pair", specs=[dg.AssetSpec("middle", deps=["first"]), dg.AssetSpec("side", deps=["middle"])])
def pair(context, run_context: dg.ResourceParam[object]):
    yield made("middle")
    yield made("side")


@asset(key="first", deps=["outside"])
def first(context, run_context: dg.ResourceParam[object]):
    return made("first")


ASSETS = [last, pair, first]


def test_a_step_comes_after_those_whose_assets_it_reads():
    keys = {key for definition in ASSETS for key in definition.keys}
    assert [step.name for step in steps(ASSETS, keys)] == ["first", "pair", "last"]


def test_a_step_of_several_assets_runs_whole_if_one_of_them_is_asked_for():
    (step,) = steps(ASSETS, {dg.AssetKey("side")})
    results = step.results(SimpleNamespace(), SimpleNamespace())
    assert [result.metadata["by"] for result in results] == ["middle", "side"]


def test_a_step_knows_its_checks():
    (step,) = steps(ASSETS, {dg.AssetKey("last")})
    assert step.checks[dg.AssetKey("last"), "is_whole"].blocking


def test_attributes_added_to_an_asset_leave_its_function():
    owned = list(dg.map_asset_specs(lambda spec: spec.replace_attributes(owners=["team:search"]), ASSETS))
    (step,) = steps(owned, {dg.AssetKey("first")})
    assert [result.metadata["by"] for result in step.results(SimpleNamespace(), SimpleNamespace())] == ["first"]
