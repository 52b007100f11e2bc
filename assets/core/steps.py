"""Steps: the functions behind the assets, so that a job may call them one after another within one step of Dagster."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg

from assets.run_context import RunContext

Function = Callable[..., Any]
Result = dg.MaterializeResult[Any]

_functions: WeakKeyDictionary[dg.OpDefinition, Function] = WeakKeyDictionary()


@dataclass(frozen=True)
class Step:
    """Hold the function that makes some assets.

    Attributes:
        name: The name of its table, or of the tables together.
        key: The first of the assets.
        function: Takes the context of an op and a run context, and returns one result or yields one for each asset.
        checks: The checks of the assets, by asset and name.
        deps: The assets that each of them is made from.
        dated: The assets that count as stale if they were not materialized for long.
    """

    name: str
    key: dg.AssetKey
    function: Function
    checks: Mapping[tuple[dg.AssetKey | None, str | None], dg.AssetCheckSpec]
    deps: Mapping[dg.AssetKey, frozenset[dg.AssetKey]]
    dated: frozenset[dg.AssetKey]

    def results(self, context: dg.OpExecutionContext, run_context: RunContext) -> Iterator[Result]:
        """Make the assets, and yield the result of each."""
        made = self.function(context, run_context=run_context)
        yield from [made] if isinstance(made, dg.MaterializeResult) else made


def asset(**arguments: Any) -> Callable[[Function], dg.AssetsDefinition]:
    """Define an asset as `dg.asset` does, and keep its function for `steps`."""
    return _keeping(dg.asset(**arguments))


def multi_asset(**arguments: Any) -> Callable[[Function], dg.AssetsDefinition]:
    """Define assets as `dg.multi_asset` does, and keep their function for `steps`."""
    return _keeping(dg.multi_asset(**arguments))


def steps(assets: Sequence[dg.AssetsDefinition], keys: Collection[dg.AssetKey]) -> list[Step]:
    """Return the steps that make some of the assets, each after the steps whose assets it reads."""
    makers = {key: definition for definition in assets for key in definition.keys}
    order = TopologicalSorter({definition.op.name: _read(definition, makers) for definition in assets})
    by_name = {definition.op.name: definition for definition in assets}
    chosen = [by_name[name] for name in order.static_order() if by_name[name].keys & set(keys)]
    return [
        Step(
            name=definition.op.name.replace("__", "."),
            key=next(iter(definition.keys)),
            function=_functions[definition.op],
            checks={(spec.asset_key, spec.name): spec for spec in definition.check_specs},
            deps={spec.key: frozenset(dep.asset_key for dep in spec.deps) for spec in definition.specs},
            dated=frozenset(spec.key for spec in definition.specs if spec.freshness_policy is not None),
        )
        for definition in chosen
    ]


def _read(definition: dg.AssetsDefinition, makers: Mapping[dg.AssetKey, dg.AssetsDefinition]) -> list[str]:
    """Return the sorted names of the ops whose assets a definition reads."""
    deps = {dep.asset_key for spec in definition.specs for dep in spec.deps}
    return sorted({makers[key].op.name for key in deps - definition.keys if key in makers})


def _keeping(define: Callable[[Function], dg.AssetsDefinition]) -> Callable[[Function], dg.AssetsDefinition]:
    def keep(function: Function) -> dg.AssetsDefinition:
        definition = define(function)
        _functions[definition.op] = function
        return definition

    return keep
