"""A vacuum deletes exactly what nothing needs: releases return the same results, wherever the vacuum is killed."""

import json
import shutil
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.encoder.loading import encoder_fingerprint
from models.encoder.text_template import product_text, query_text
from orchestration.commands.apply import apply
from orchestration.commands.rollback import roll_back
from orchestration.commands.train import train
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.defs.build_definitions import assemble
from orchestration.serving.lookup import Lookup
from orchestration.serving.searcher import Searcher
from orchestration.vacuum import vacuum
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.history import checkpoints
from warehouse.settings import VacuumSettings

SETTINGS = VacuumSettings(keep_releases=2, keep_checkpoints=1, keep_runs=2, keep_hours=0, grace_hours=0)
QUERIES = ["velvet accordion", "black tent", "ノートパソコン ケース"]
TABLES = ("staging.products", "features.products", "training.pairs")
STEPS = (
    "warehouse.vectors.product_vectors.VectorStore.drop",
    "warehouse.vectors.product_vectors.VectorStore.prune",
    "warehouse.serving.release_log.Releases.publish",
    "warehouse.vectors.embedding_cache.EmbeddingCache.prune",
    "warehouse.serving.online_store.OnlineTable.prune",
    "warehouse.history.checkpoints.expire",
)


@dataclass(frozen=True)
class Home:
    """A home with four releases, of which the first two are to go, and what releases and checkpoints answer."""

    root: Path
    checkpoints: list[int]
    delta: Path
    answers: dict[int, Any]
    rows: dict[int, Any]


def _answers(run_context, release, searcher=None):
    """Return hits (where a searcher is given), stored vectors and looked-up features of a release, to the bit."""
    home = run_context.home
    if searcher is not None:
        searcher.move_to(release)
    vectors = home.vectors.read(release.vector_table, release.vector_version, ["key", "vector"]).to_pylist()
    keys = sorted(row["key"] for row in vectors)
    return (
        [searcher.search(query, 10) for query in QUERIES] if searcher is not None else None,
        {row["key"]: np.array(row["vector"], np.float32).tobytes() for row in vectors},
        home.online.rows("product", release.snapshot, keys),
    )


def _rows(home, snapshot):
    with home.lake.reading(snapshot) as connection:
        return [connection.sql(f"FROM {table} ORDER BY key").fetchall() for table in TABLES]


def _open(home):
    return open_run_context(load_settings(home.root))


def _run(run_context, **options):
    return vacuum(run_context.home, SETTINGS, encoder_fingerprint(run_context.encoder), **options)


@pytest.fixture(scope="module")
def grown(copy_home, tmp_path_factory):
    """Return a home into which three deltas came: half of the catalog got other titles, some products, some fewer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        run_context = open_run_context(load_settings(copy_home()))
        home, folder = run_context.home, tmp_path_factory.mktemp("deltas")
        with home.lake.reading() as connection:
            existing_keys = connection.sql(
                "SELECT product_locale, product_id, product_title FROM raw.products ORDER BY key LIMIT 100"
            ).pl()
        rows = existing_keys.to_dicts()
        deltas = {
            "monday": [row | {"op": "upsert", "product_title": f"Gone {row['product_title']}"} for row in rows],
            "tuesday": [row | {"op": "upsert", "product_title": f"New {row['product_title']}"} for row in rows],
            "wednesday": [row | {"op": "delete"} for row in rows[:5]],
            "thursday": [
                {"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Velvet accordion"}
            ],
        }
        for name, lines in deltas.items():
            (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        for name in list(deltas)[:3]:
            apply(run_context, [folder / f"{name}.jsonl"])
        points = [point.snapshot for point in checkpoints.list_checkpoints(home.lake)]
        releases = home.releases.all()
        assert [release.snapshot for release in releases] == points
        # A refused model's vectors and another encoder's cache.
        stored = home.vectors.read(releases[0].vector_table).slice(0, 20)
        home.vectors.apply("products_refused", [stored], [], 384)
        texts = [f"text {number}" for number in range(1_000)]
        home.embeddings.fill(texts, lambda texts: np.ones((len(texts), 384), np.float32), "other")
        searcher = Searcher(home, run_context.encoder)
        answers = {release.release: _answers(run_context, release, searcher) for release in releases}
        rows_at = {point: _rows(home, point) for point in points}
        return Home(home.root, points, folder / "thursday.jsonl", answers, rows_at)


def _is_whole(grown, run_context, *, is_searched=False):
    """See that what is kept answers as it did; vectors decide what a search finds, and are compared to the bit."""
    home = run_context.home
    searcher = Searcher(home, run_context.encoder) if is_searched else None
    first, _, third, fourth = grown.checkpoints
    by_number = {release.release: release for release in home.releases.all()}
    live = home.releases.live()
    assert live.shows == by_number[4].shows
    for release, number in ((by_number[3], 3), (live, 4)):
        assert _answers(run_context, release, searcher)[not is_searched :] == grown.answers[number][not is_searched :]
    for point in (first, third, fourth):
        assert _rows(home, point) == grown.rows[point]


@pytest.fixture(scope="module")
def cleaned(grown, tmp_path_factory):
    root = tmp_path_factory.mktemp("cleaned") / "home"
    shutil.copytree(grown.root, root)
    run_context = open_run_context(load_settings(root))
    foretold = _run(run_context, dry_run=True)
    _is_whole(grown, _open(run_context.home))
    assert run_context.home.vectors.names() == [*run_context.home.vectors.names()[:-1], "products_refused"]
    yield run_context, foretold, _run(run_context)
    shutil.rmtree(root, ignore_errors=True)


def test_what_is_kept_answers_to_the_bit(grown, cleaned):
    run_context, _, report = cleaned
    assert report.releases == [3, 4]
    assert report.checkpoints == [
        grown.checkpoints[0],
        *grown.checkpoints[2:],
    ]  # the first is what the model was made from
    _is_whole(grown, _open(run_context.home), is_searched=True)


def test_what_nothing_needs_is_gone_and_so_is_its_room(grown, cleaned):
    run_context, foretold, report = cleaned
    home = _open(run_context.home).home
    assert report.vector_tables == ["products_refused"]
    assert report.encoders == ["other"]
    assert report.vector_versions > 0
    assert report.embeddings >= 90  # Monday's titles, which no kept point has
    assert report.online_rows >= 90
    assert report.runs == 2  # the build and Monday's
    assert grown.checkpoints[1] in report.snapshots_expired
    assert report.lake_files > 0
    assert report.bytes_after < report.bytes_before
    assert home.vectors.names() == [home.releases.live().vector_table]
    assert home.embeddings.encoders() == [home.releases.live().encoder_fingerprint]
    assert [each for each in checkpoints.snapshots(home.lake) if each <= report.checkpoints[-1]] == report.checkpoints
    for what in (
        "vector_tables",
        "vector_versions",
        "encoders",
        "embeddings",
        "runs",
        "online_rows",
        "snapshots_expired",
    ):
        assert getattr(foretold, what) == getattr(report, what), what
    assert (foretold.dry_run, foretold.releases, foretold.checkpoints) == (True, report.releases, report.checkpoints)


def test_every_text_of_what_is_kept_stays_encoded(grown, cleaned):
    run_context, _, report = cleaned
    home = run_context.home
    for point in report.checkpoints:
        titles = datasets.products(home.lake, point).select(product_text())["text"].to_list()
        queries = [query_text(query) for query in datasets.queries(home.lake, point)["query"]]
        vectors = home.embeddings.vectors([*titles, *queries], home.releases.live().encoder_fingerprint)
        assert len(vectors) == len(titles) + len(queries) > 0


def test_what_is_gone_is_named_where_someone_asks_for_it(grown, cleaned, stockroom):
    run_context, *_ = cleaned
    root = run_context.home.root
    listed = {row["release"]: row["gone"] for row in json.loads(stockroom("releases", "--json", "--home", root).out)}
    assert listed[1] is not None
    assert listed[2] is not None
    assert listed[3] is None
    answer = stockroom("rollback", "2", "--home", root)
    assert (answer.status, "release 2 cannot be restored" in answer.err) == (1, True)
    answer = stockroom("sql", "--as-of", grown.checkpoints[1], "SELECT 1", "--home", root)
    assert (answer.status, "stockroom vacuum removed it" in answer.err) == (1, True)
    assert (
        stockroom(
            "sql", "--as-of", grown.checkpoints[0], "SELECT count(*) FROM staging.products", "--home", root
        ).status
        == 0
    )


def test_a_second_vacuum_deletes_nothing(cleaned, stockroom):
    run_context, *_ = cleaned
    before = run_context.home.lake.snapshot(), run_context.home.releases.all()
    again = _run(_open(run_context.home))
    assert (again.vector_tables, again.encoders, again.embeddings, again.runs, again.online_rows) == ([], [], 0, 0, 0)
    assert (again.vector_versions, again.snapshots_expired, again.lake_files) == (0, [], 0)
    assert (run_context.home.lake.snapshot(), run_context.home.releases.all()) == before
    job = assemble().resolve_job_def("vacuum")
    assert job.execute_in_process(resources={"run_context": replace(_open(run_context.home), vacuum=SETTINGS)}).success
    assert (run_context.home.lake.snapshot(), run_context.home.releases.all()) == before
    output = stockroom("vacuum", "--dry-run", "--keep", "2", "--home", run_context.home.root).out
    assert "Nothing can be deleted." in output


@pytest.mark.slow
def test_the_model_can_still_be_reproduced(grown, cleaned):
    run_context, *_ = cleaned
    report = train(_open(run_context.home), str(grown.checkpoints[0]))
    assert (report.snapshot, report.trained, report.same_model) == (grown.checkpoints[0], False, True)
    assert report.recorded_fingerprint == report.recomputed_fingerprint


@pytest.mark.parametrize("step", STEPS)
def test_a_stopped_vacuum_loses_nothing_and_can_be_run_again(grown, tmp_path, monkeypatch, step):
    root = tmp_path / "home"
    shutil.copytree(grown.root, root)
    run_context = open_run_context(load_settings(root))

    def stop(*_arguments, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(step, stop)
        with pytest.raises(KeyboardInterrupt):
            _run(run_context)
    _is_whole(grown, _open(run_context.home))
    _run(_open(run_context.home))
    _is_whole(grown, _open(run_context.home))
    left = [each for each in checkpoints.snapshots(run_context.home.lake) if each <= grown.checkpoints[-1]]
    assert left == [grown.checkpoints[0], *grown.checkpoints[2:]]
    shutil.rmtree(root)


@pytest.mark.slow
def test_everything_works_after_a_vacuum(grown, cleaned):
    run_context, *_ = cleaned
    run_context = _open(run_context.home)
    home = run_context.home
    report = apply(run_context, [grown.delta])
    assert report.run.texts_encoded == 1
    searcher = Searcher(home, run_context.encoder)
    assert searcher.search("velvet accordion", 1)[0].key == "us:N1"
    back = roll_back(home, run_context.encoder, 3)
    assert _answers(run_context, back.live, searcher) == grown.answers[3]
    assert Lookup(home).release == back.live
    assert apply(run_context, [grown.delta]).run is None


def test_an_index_that_was_not_published_goes_live_with_the_same_rows(grown, tmp_path, stockroom):
    root = tmp_path / "home"
    shutil.copytree(grown.root, root)
    home = _open(open_run_context(load_settings(root)).home).home
    live, store = home.releases.live(), home.vectors
    store.refresh_index(live.vector_table, index_above=1)
    again = store.read(live.vector_table).slice(0, 1)
    version = store.apply(live.vector_table, [again], [], again.schema.field("vector").type.list_size).version
    facts = {
        name: getattr(live, name) for name in ("model_id", "encoder_fingerprint", "vector_table", "snapshot", "metrics")
    }
    now = live.published_at + timedelta(seconds=1)
    before = home.releases.publish(kind="catalog", vector_version=version, published_at=now, **facts).release
    rows = _answers(open_run_context(load_settings(root)), before)
    store.refresh_index(live.vector_table, index_above=1)  # as a reindex that was killed before it published

    stockroom("vacuum", "--home", root)
    run_context = open_run_context(load_settings(root))
    after = run_context.home.releases.live()
    assert after.release == before.release + 1
    assert after.vector_version == run_context.home.vectors.version(after.vector_table)
    assert _answers(run_context, after) == rows
    stockroom("vacuum", "--home", root)
    assert run_context.home.releases.live() == after
    shutil.rmtree(root)


def test_what_is_young_stays(grown):
    run_context = open_run_context(load_settings(grown.root))
    report = vacuum(run_context.home, VacuumSettings(keep_releases=1, keep_checkpoints=1), "enc", dry_run=True)
    assert report.releases == [1, 2, 3, 4]
    assert report.checkpoints == grown.checkpoints
    assert (report.vector_tables, report.vector_versions) == ([], 0)


def test_an_empty_home_has_nothing_to_clean(stockroom, tmp_path):
    answer = stockroom("vacuum", "--home", tmp_path / "home")
    assert (answer.status, "no data in" in answer.err) == (1, True)
    with pytest.raises(WarehouseError, match="no data"):
        vacuum(open_run_context(load_settings(tmp_path / "home")).home, SETTINGS, "enc")
    assert not (tmp_path / "home").exists()
