"""Any sequence of partial runs, new files and stopped runs ends in the state of a full build.

`make test` runs the lives that are written out and a drawn one. SUBSETS sets how many are drawn (200 in `make torture`).
"""

import json
import os
import random
import shutil
from contextlib import suppress

import dagster as dg
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestration.commands.apply import apply
from orchestration.commands.build import build
from orchestration.commands.replay import replay
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.defs.apply_job import APPLIED
from orchestration.defs.build_definitions import assemble

EXAMPLES = int(os.environ.get("SUBSETS", "1"))  # besides those that are written out
PRODUCTS = "shopping_queries_dataset_products.parquet"
# Those of the apply job: what of the model is measured and told waits for a build.
EVERY = sorted(".".join(key.path) for key in APPLIED.resolve(list(assemble().assets)))
RAW = [key for key in EVERY if key.startswith("raw.")]
KEYS = [key for key in EVERY if key not in RAW]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("delta"), st.integers(0, 99)),
        st.tuples(st.just("snapshot"), st.integers(0, 99)),
        st.tuples(st.just("assets"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=6, unique=True)),
        st.tuples(st.just("stopped"), st.integers(1, 20)),
        st.tuples(st.just("apply"), st.none()),
    ),
    min_size=2,
    max_size=5,
)


class Stopped(BaseException):
    """Stand for a process that is killed."""


class Life:
    """A home to which files come, and whose assets are materialized by whoever likes to."""

    def __init__(self, root, built):
        shutil.copytree(built.home, root, copy_function=_copy_or_link, ignore=shutil.ignore_patterns("*-shm", "*-wal"))
        self.run_context = open_run_context(load_settings(root))
        self.raw, self.folder, self.files = built.raw, root.parent, []

    def materialize(self, names, raw=None, deltas=(), stop_after=None):
        """Materialize some assets as a run of the UI does, under the live model; it stops after so many steps."""
        facts = {
            "home": str(self.run_context.home.root),
            "pin_live_model": True,
            "raw": str(raw or ""),
            "deltas": [str(path) for path in deltas],
        }
        config = {"resources": {"run_context": {"config": facts}}}
        chosen = [dg.AssetKey(name.split(".")) for name in names]
        job = assemble().resolve_job_def("build")
        with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
            if stop_after is not None:
                _stop(patch, stop_after)
            with suppress(Stopped):
                job.execute_in_process(config, instance, asset_selection=chosen, raise_on_error=False)

    def delta(self, number):
        """Write a delta: products with another title, one that goes, one that is new; and a judgement."""
        draw, path = random.Random(number), self.folder / f"delta-{number}-{len(self.files)}.jsonl"
        products = pl.read_parquet(self.raw / PRODUCTS).filter(pl.col("product_id") != "")
        ids = draw.sample(products.select("product_locale", "product_id").rows(), 3)
        changes = [
            {"op": "delete"},
            *({"op": "upsert", "product_title": f"Title {number} {place}"} for place in (1, 2)),
        ]
        rows = [
            {**each, "product_locale": locale, "product_id": key}
            for each, (locale, key) in zip(changes, ids, strict=True)
        ]
        rows.append(
            {"op": "upsert", "product_locale": "us", "product_id": f"NEW{number}", "product_title": "New thing"}
        )
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        self.files.append(path)
        return path

    def snapshot(self, number):
        """Write a full snapshot that is not the one before."""
        folder = self.folder / f"snapshot-{number}-{random.random()}"
        shutil.copytree(self.raw, folder)
        products = pl.read_parquet(folder / PRODUCTS)
        keep = pl.col("product_title").hash(number) % 20 != 0
        products.filter(keep).write_parquet(folder / PRODUCTS)
        return folder


def _copy_or_link(source, target):
    (os.link if source.endswith("encoder.bin") else shutil.copy2)(source, target)


def _stop(patch, after):
    """Stop a run once it has written so many tables, between the commit and the report."""
    from assets.core import table_asset

    calls, original = 0, table_asset.result

    def result(*given, **named):
        nonlocal calls
        calls += 1
        if calls >= after:
            raise Stopped
        return original(*given, **named)

    patch.setattr(table_asset, "result", result)


@settings(max_examples=EXAMPLES or 1, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
@example(steps=[("delta", 1), ("assets", ["releases.live"])])
@example(steps=[("snapshot", 2), ("stopped", 6), ("assets", ["vectors.products", "staging.products"])])
def test_any_subset_in_any_order_ends_where_a_full_build_ends(built, tmp_path_factory, monkeypatch, steps):
    monkeypatch.setenv("DAGSTER_HOME", "")
    folder = tmp_path_factory.mktemp("life")
    life = Life(folder / "home", built)
    for kind, what in steps:
        if kind == "delta":
            life.materialize(RAW, deltas=[life.delta(what)])
        elif kind == "snapshot":
            life.materialize(RAW, raw=life.snapshot(what))
        elif kind == "assets":
            life.materialize(what)
        elif kind == "stopped":
            path = life.delta(what)
            life.materialize([*RAW, *KEYS], deltas=[path], stop_after=what)
        elif life.files:
            apply(life.run_context, life.files[-1:])
    apply(life.run_context, [life.files[-1] if life.files else life.delta(0)])
    assert replay(life.run_context).agrees
    shutil.rmtree(folder)


@pytest.mark.slow
def test_a_build_completes_any_subset(built, tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")
    life = Life(tmp_path / "home", built)
    path = life.delta(5)
    life.materialize(RAW, deltas=[path])
    life.materialize(["features.products", "vectors.products", "releases.live"])
    live = life.run_context.home.releases.live()
    assert live.release == built.report["release"]  # not before all of it was followed
    build(life.run_context)
    assert life.run_context.home.releases.live().release > live.release
    assert replay(life.run_context).agrees
