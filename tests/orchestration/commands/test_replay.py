"""A replay changes nothing in a correct home, and repairs a damaged one, whatever its hashes are and wherever it is killed.

`make test` kills it late, `make torture` (where TRIALS is set) early too.
"""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from orchestration.commands.apply import apply
from orchestration.commands.replay import replay
from orchestration.config.open_context import open_run_context
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.lake.sync_tables import DERIVED_TABLES, RAW_TABLES
from warehouse.vectors.lance_tables import to_vectors

# A replay that kills itself where it first comes to the named function.
REBUILD = """
import importlib, os, signal, sys
from pathlib import Path
module, name = sys.argv[1].split(":")
setattr(importlib.import_module(module), name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
from orchestration.commands.replay import replay
from orchestration.config.settings import load_settings
from orchestration.config.open_context import open_run_context
replay(open_run_context(load_settings(Path(sys.argv[2]))))
"""
QUERY = "velvet accordion"


def _contents(home):
    with home.lake.reading() as connection:
        return {
            table: connection.sql(f"FROM {table} ORDER BY ALL").fetchall() for table in (*RAW_TABLES, *DERIVED_TABLES)
        }


def _vectors(home):
    live = home.releases.live()
    rows = home.vectors.read(live.vector_table, live.vector_version).to_pylist()
    return {row["key"]: row | {"vector": np.array(row["vector"], np.float32).tobytes()} for row in rows}


def _hits(home, settings):
    return Searcher(home, settings.encoder).search(QUERY, 5)


@pytest.fixture(scope="module")
def chain(copy_home, tmp_path_factory):
    """Return a run context into which deltas of products and of judgements came, and what it then held and answered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        run_context = open_run_context(load_settings(copy_home()))
        home, folder = run_context.home, tmp_path_factory.mktemp("deltas")
        with home.lake.reading() as connection:
            judged = connection.sql("FROM raw.judgements ORDER BY key LIMIT 2").pl().drop("key", "input_hash")
            gone = connection.sql("SELECT product_locale, product_id FROM raw.products ORDER BY key LIMIT 1").pl()
        products = pl.DataFrame({"op": "upsert", "product_locale": "us", "product_id": ["N1", "N2"]})
        products.with_columns(product_title=pl.lit("Velvet accordion")).write_parquet(folder / "new.parquet")
        gone.with_columns(op=pl.lit("delete")).write_ndjson(folder / "gone.jsonl")
        labels = judged.with_columns(op=pl.lit("upsert"), esci_label=pl.lit("C"), event_time=pl.lit(None, pl.String))
        labels.write_ndjson(folder / "labels.jsonl")
        apply(run_context, [folder / name for name in ("new.parquet", "gone.jsonl", "labels.jsonl")])
        yield run_context, _contents(home), _vectors(home), _hits(home, run_context)


def test_where_all_is_well_nothing_differs_and_nothing_is_written(chain, stockroom):
    run_context, contents, vectors, hits = chain
    home = run_context.home
    before = home.lake.snapshot(), home.releases.live()
    answer = stockroom("replay", "--json", "--home", home.root)
    assert answer.status == 0, answer.err
    report = json.loads(answer.out)
    assert (report["agrees"], report["deltas"], report["superseded"]) == (True, 3, 0)
    assert set(report["files"]) == {"raw.products", "raw.judgements", "raw.sources"}
    assert (home.lake.snapshot(), home.releases.live()) == before
    assert (_contents(home), _vectors(home), _hits(home, run_context)) == (contents, vectors, hits)
    assert not (home.root / "recompute").exists()


def _damage(home):
    """Change rows, a vector among them, without their hashes."""
    live = home.releases.live()
    with home.lake.writing() as connection:
        connection.execute("UPDATE raw.products SET product_title = 'Kazoo' WHERE key = 'us:N1'")
        connection.execute("DELETE FROM raw.judgements WHERE key = (SELECT min(key) FROM raw.judgements)")
        connection.execute("UPDATE staging.products SET brand = 'Nobody' WHERE key = 'us:N2'")
        connection.execute("INSERT INTO features.products FROM features.products WHERE key = 'us:N2'")  # a key twice
    rows = home.vectors.read(live.vector_table).slice(0, 1)
    vector = to_vectors(np.eye(1, rows.schema.field("vector").type.list_size, dtype=np.float32))
    damaged = rows.set_column(rows.schema.get_field_index("vector"), "vector", vector)
    home.vectors.apply(live.vector_table, [damaged], [], vector.type.list_size)


@pytest.mark.slow
def test_what_differs_is_mended_row_by_row_and_killed_it_leaves_the_old_state_working(chain):
    run_context, contents, vectors, hits = chain
    home, live = run_context.home, run_context.home.releases.live()
    _damage(home)
    damaged = _contents(home)
    assert damaged != contents
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    points = {
        "warehouse.lake.sync_tables:_sync": damaged,  # in the transaction that takes over
        "orchestration.commands.build:run_job": contents,  # after it, before vectors and release
    }
    if "TRIALS" not in os.environ:
        del points["warehouse.lake.sync_tables:_sync"]
    for point, expected in points.items():
        command = [sys.executable, "-c", REBUILD, point, home.root]
        killed = subprocess.run(command, timeout=300, env=environment, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert home.releases.live() == live
        assert _hits(open_home(load_settings(home.root)), run_context) == hits
        assert _contents(home) == expected

    report = replay(run_context)
    assert not report.agrees
    assert report.differing == {}  # the killed one had come so far
    assert report.vectors == {"upserted": 1, "deleted": 0}
    assert report.run.new_release
    assert home.releases.live().release == live.release + 1
    assert home.releases.live().model_id == live.model_id
    assert (_contents(home), _vectors(home), _hits(home, run_context)) == (contents, vectors, hits)
    assert replay(run_context).agrees


def test_a_missing_copy_is_named_and_nothing_is_written(chain, stockroom):
    run_context, contents, *_ = chain
    home = run_context.home
    with home.lake.reading() as connection:
        ((sha256,),) = connection.sql("SELECT sha256 FROM raw.deltas WHERE name = 'gone.jsonl'").fetchall()
    copy = home.archive.root / f"{sha256}.zst"
    lost = copy.read_bytes()
    copy.unlink()
    answer = stockroom("replay", "--home", home.root)
    assert answer.status == 1
    assert f"no copy of the file with the SHA-256 {sha256}" in answer.err.replace("\n", " ")
    assert _contents(home) == contents
    copy.write_bytes(lost)


def test_without_a_live_model_none_can_be_pinned(tmp_path):
    with pytest.raises(WarehouseError, match="no raw data"):
        replay(open_run_context(load_settings(tmp_path / "home")))
