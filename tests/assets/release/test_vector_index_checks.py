"""The index checks pass on a good home, and each stops a release whose vectors or index are wrong."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from assets.release.vector_index_checks import CHECKS, index_checks
from orchestration.commands.apply import apply
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from warehouse.errors import WarehouseError
from warehouse.vectors.lance_tables import to_vectors
from warehouse.vectors.product_vectors import VectorStore


def _check(run_context):
    """Return what is wrong by check; a run context of its own reads no version that another has opened."""
    pinned_context = replace(run_context, pinned_model=run_context.home.releases.live().model_id)
    results = {result.check_name: result for result in index_checks(pinned_context)}
    assert set(results) == set(CHECKS)
    return {name: result.description for name, result in results.items() if not result.passed}


@pytest.fixture(scope="module")
def run_context(copy_home):
    return open_run_context(load_settings(copy_home()))


@pytest.fixture
def spoil(run_context):
    """Return what rewrites the vector table under the checks; it is put right again afterwards."""
    store, live = run_context.home.vectors, run_context.home.releases.live()
    name, before = live.vector_table, store.read(live.vector_table)
    dim = before.schema.field("vector").type.list_size

    def write(rows=(), deletes=()):
        store.apply(name, rows, list(deletes), dim)
        return before

    yield write
    strangers = set(store.current(name)["key"]) - set(before["key"].to_pylist())
    store.apply(name, store.differing(name, [before]), sorted(strangers), dim)


def _with_vector(row, vector):
    place = row.schema.get_field_index("vector")
    return row.set_column(place, row.schema.field("vector"), to_vectors(np.asarray(vector, np.float32)[None, :]))


def _with_text(row, **texts):
    for name, text in texts.items():
        row = row.set_column(row.schema.get_field_index(name), row.schema.field(name), pa.array([text]))
    return row


def test_a_good_table_passes(run_context):
    assert _check(run_context) == {}


def test_a_lost_row(run_context, spoil):
    spoil(deletes=[spoil()["key"][0].as_py()])
    assert "199 vectors for 200 products" in _check(run_context)["rows_are_those_of_the_catalog"]


def test_a_foreign_row(run_context, spoil):
    row = spoil().slice(0, 1)
    spoil([_with_text(row, key="us:STRANGER", product_id="STRANGER", locale="us")])
    failures = _check(run_context)
    assert "vector us:STRANGER of products that the catalog does not have" in failures["no_vector_of_a_deleted_product"]
    assert "201 vectors for 200 products" in failures["rows_are_those_of_the_catalog"]


def test_an_altered_vector(run_context, spoil):
    row = spoil().slice(3, 1)
    key, vector = row["key"][0].as_py(), np.array(row["vector"][0].as_py())
    vector[:8] = -vector[:8] + 0.1
    spoil([_with_vector(row, vector / np.linalg.norm(vector))])
    failures = _check(run_context)
    assert list(failures) == ["vectors_are_what_the_model_makes"]
    assert f"vector {key} other than the model makes them" in failures["vectors_are_what_the_model_makes"]
    assert "replay" in failures["vectors_are_what_the_model_makes"]


def test_a_row_that_a_model_made_of_other_features(run_context, spoil):
    row = spoil().slice(5, 1)
    spoil([_with_text(row, input_hash="0" * 16)])
    failures = _check(run_context)
    assert list(failures) == ["no_vector_of_another_model"]
    assert f"vector {row['key'][0].as_py()} not of this model" in failures["no_vector_of_another_model"]


def test_a_row_that_is_no_unit_vector(run_context, spoil):
    row = spoil().slice(7, 1)
    spoil([_with_vector(row, 2 * np.array(row["vector"][0].as_py()))])
    assert "not of this model" in _check(run_context)["no_vector_of_another_model"]


def test_a_table_without_its_index(run_context, monkeypatch):
    monkeypatch.setattr("warehouse.vectors.ann_index.INDEX_ABOVE", 100)  # as if a table of this size needed one
    assert "100.0% of the rows lie outside the index" in _check(run_context)["the_index_covers_the_rows"]


def test_nothing_is_released_while_a_check_fails(run_context, spoil, tmp_path, monkeypatch):
    home, before = run_context.home, run_context.home.releases.all()
    delta = tmp_path / "delta.jsonl"
    row = {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Velvet accordion"}
    delta.write_text(json.dumps(row), encoding="utf-8")
    write = VectorStore.apply

    def lose_a_row(store, name, *arguments, **options):
        """Lose the last row where no reconciliation looks any more."""
        write(store, name, *arguments, **options)
        return write(store, name, [], store.current(name)["key"].sort().to_list()[-1:], 384)

    monkeypatch.setattr(VectorStore, "apply", lose_a_row)
    with pytest.raises(WarehouseError, match=r"vectors\.products fails the check rows_are_those_of_the_catalog"):
        apply(run_context, [delta])
    assert home.releases.all() == before
    monkeypatch.undo()
    report = apply(run_context, [delta])  # run again it reconciles, and passes
    assert report.run.new_release
    assert home.releases.live().release == before[-1].release + 1
