"""A build that is killed midway leaves the old release live, and the next build completes.

`make test` kills one late, `make torture` (where TRIALS is set) one early too.
"""

import os
import signal
import subprocess
import sys

import polars as pl
import pytest

from orchestration.commands.build import build
from orchestration.config.open_context import open_run_context
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import open_instance
from orchestration.serving.searcher import Searcher
from warehouse.operations import consistency

STORES_EVENTS = True

PRODUCTS = "shopping_queries_dataset_products.parquet"

# A build that kills itself where it first comes to the named function.
BUILD = """
import importlib, os, signal, sys
from pathlib import Path
module, name = sys.argv[1].split(":")
owner = importlib.import_module(module)
*path, last = name.split(".")
for part in path:
    owner = getattr(owner, part)
setattr(owner, last, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
from orchestration.commands.build import build
from orchestration.config.settings import load_settings
from orchestration.config.open_context import open_run_context
build(open_run_context(load_settings(Path(sys.argv[2]))), Path(sys.argv[3]))
"""
POINTS = (
    "assets.tables.staging:refresh_products",  # raw is there, staging is not yet
    "warehouse.serving.release_log:Releases.append",  # all is there, the release's row is not yet
)
CHOSEN = POINTS if "TRIALS" in os.environ else POINTS[1:]


@pytest.fixture(scope="module")
def changed_raw(built, tmp_path_factory):
    """Return a copy of the files with three new titles of products that nobody judged, so that the model stays."""
    folder = tmp_path_factory.mktemp("changed")
    for file in built.raw.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    judged = pl.read_parquet(folder / "shopping_queries_dataset_examples.parquet")["product_id"].unique()
    rows = pl.read_parquet(folder / PRODUCTS).with_row_index("row")
    free = rows.filter(~pl.col("product_id").is_in(judged.implode()) & pl.col("product_id").is_unique())["row"].head(3)
    title = pl.format("Quite new thing {}", "row")
    rows = rows.with_columns(
        product_title=pl.when(pl.col("row").is_in(free.implode())).then(title).otherwise("product_title")
    )
    rows.drop("row").write_parquet(folder / PRODUCTS)
    return folder


@pytest.mark.slow
def test_the_old_release_answers_and_the_next_build_ends_right(built, changed_raw, copy_home):
    root = copy_home()
    settings = load_settings(root)
    old = Searcher(open_home(settings), settings.encoder).search("quite new thing", 5)
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    for point in CHOSEN:
        command = [sys.executable, "-c", BUILD, point, root, changed_raw]
        killed = subprocess.run(command, timeout=300, env=environment, check=False)
        assert killed.returncode == -signal.SIGKILL
        home = open_home(settings)
        live = home.releases.live()
        assert live.release == 1
        assert consistency.key_differences(home, live) == (0, 0)  # its snapshot and its vectors are both still there
        assert Searcher(home, settings.encoder).search("quite new thing", 5) == old
        home.journal.path.write_bytes(home.journal.path.read_bytes() + b'{"run_id": "torn')

    report = build(open_run_context(settings), changed_raw)
    assert report.release == 2
    assert report.model == built.report["model"]
    home = open_home(settings)
    hits = Searcher(home, settings.encoder).search("quite new thing", 5)
    assert all("Quite new thing" in hit.title for hit in hits[:3])
    assert consistency.key_differences(home, home.releases.live()) == (0, 0)
    assert home.journal.last()["releases.live"]["release"] == 2
    with open_instance(home) as instance:
        statuses = [run.status.value for run in instance.get_runs()]  # newest first
    assert statuses == ["SUCCESS", *["FAILURE"] * len(CHOSEN), "SUCCESS"]
