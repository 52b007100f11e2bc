"""An applied delta is searchable under the live model: new texts are encoded, deleted products are gone, nothing else runs."""

import json
from dataclasses import replace

import dagster as dg
import pytest

from orchestration.commands.apply import apply
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings
from orchestration.instance.dagster_instance import COMMAND_LINE, open_instance
from orchestration.instance.locks import in_progress, was_killed
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.history import checkpoints, table_diff
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas
from warehouse.lake import tables
from warehouse.operations.consistency import key_differences

STORES_EVENTS = True


def _write(path, *rows):
    path.write_text("".join(json.dumps({"product_locale": "us", **row}) + "\n" for row in rows), encoding="utf-8")
    return path


def _keys(run_context, query):
    return [hit.key for hit in Searcher(run_context.home, run_context.encoder).search(query, 5, fold=False)]


@pytest.fixture(scope="module")
def applied(copy_home, tmp_path_factory):
    """Apply one delta to a copied home: two products of one new text, one of a known text, one gone, one without a key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        run_context = open_run_context(load_settings(copy_home()))
        with run_context.home.lake.reading() as connection:
            gone, existing = (
                connection.sql(
                    "SELECT product_id, product_title, product_brand, product_color FROM raw.products "
                    "WHERE product_locale = 'us' ORDER BY key LIMIT 2"
                )
                .pl()
                .to_dicts()
            )
        before = run_context.home.releases.live()
        delta = _write(
            tmp_path_factory.mktemp("deltas") / "monday.jsonl",
            {"op": "upsert", "product_id": "N1", "product_title": "Velvet accordion"},
            {"op": "upsert", "product_id": "N2", "product_title": "Velvet accordion"},
            existing | {"op": "upsert", "product_id": "N3"},
            {"op": "upsert", "product_id": None, "product_title": "Nothing"},
            {"op": "delete", "product_id": gone["product_id"]},
        )
        return run_context, before, f"us:{gone['product_id']}", delta, apply(run_context, [delta])


def test_texts_encoded_are_the_distinct_unseen_ones(applied):
    *_, report = applied
    assert report.run.texts_encoded == 1
    assert report.run.cleaned["staging.products"] == 3


def test_searches_find_what_came_and_not_what_went(applied):
    run_context, _, gone, *_ = applied
    assert _keys(run_context, "velvet accordion")[:2] == ["us:N1", "us:N2"]
    release = run_context.home.releases.live()
    assert key_differences(run_context.home, release) == (0, 0)
    stored = run_context.home.vectors.read(release.vector_table, release.vector_version, ["key"])["key"].to_pylist()
    assert gone not in stored
    assert "us:N3" in stored


def test_the_live_model_is_pinned_and_the_release_names_it(applied):
    run_context, before, _, _, report = applied
    live = run_context.home.releases.live()
    assert (live.kind, live.model_id, live.release) == ("catalog", before.model_id, before.release + 1)
    assert report.run.gate is None
    assert (report.release, report.snapshot) == (live.release, live.snapshot)


def test_the_report_has_the_file_and_the_refused_rows(applied):
    *_, report = applied
    (file,) = report.files
    assert (file["inserted"], file["deleted"], file["refused"]) == (3, 1, 1)
    assert file["rules"] == {"product_id_missing": 1}
    assert {"table": "raw.products", "rule": "product_id_missing", "rows": 1, "keys": ["us:"]} in report.quarantined


def test_the_report_has_the_judgements_that_lose_their_product(copy_home, tmp_path):
    run_context = open_run_context(load_settings(copy_home()))
    with run_context.home.lake.reading() as connection:
        ((product, judgements),) = connection.sql(
            "SELECT product_id, list_sort(list(key)) FROM staging.judgements WHERE locale = 'us' "
            "GROUP BY product_id ORDER BY count(*) DESC, product_id LIMIT 1"
        ).fetchall()
    report = apply(run_context, [_write(tmp_path / "gone.jsonl", {"op": "delete", "product_id": product})])
    assert [(each["rule"], each["rows"]) for each in report.quarantined] == [
        ("judgement_without_product", len(judgements))
    ]
    assert set(report.quarantined[0]["keys"]) <= set(judgements)


def test_the_recorded_changes_of_a_checkpoint_match_the_tables(applied):
    run_context, before, *_, report = applied
    lake, changes = run_context.home.lake, checkpoints.history(run_context.home.lake)[report.snapshot]
    assert {"raw.products", "staging.products", "features.products"} <= changes.keys()
    for table, written in changes.items():
        difference = table_diff.difference(lake, table, before.snapshot, report.snapshot)
        assert written == (difference.added, difference.changed, difference.removed), table
    with lake.reading() as connection:
        rows = connection.execute('SELECT "table", rows FROM registry.changes WHERE snapshot = ?', [report.snapshot])
        assert all(tables.count(connection, table) == count for table, count in rows.fetchall())


def test_the_same_file_again_runs_nothing(applied):
    run_context, _, _, delta, first = applied
    again = apply(run_context, [delta])
    assert (again.run, again.changed, again.snapshot, again.release) == (None, False, first.snapshot, first.release)
    assert [file["is_new"] for file in again.files] == [False]


def test_history_is_for_people_and_for_programs(applied, stockroom):
    run_context, *_ = applied
    (row,) = json.loads(stockroom("history", "--json", "--home", run_context.home.root).out)
    release = run_context.home.releases.live()
    assert (row["sequence_number"], row["name"], row["as_of"], row["release"]) == (
        1,
        "monday.jsonl",
        release.snapshot,
        release.release,
    )
    assert "monday.jsonl" in stockroom("history", "--home", run_context.home.root).out


def test_a_half_written_file_is_one_line_and_changes_nothing(applied, stockroom, tmp_path):
    run_context, *_ = applied
    before = run_context.home.lake.snapshot(), run_context.home.journal.path.read_bytes()
    good, bad = _write(tmp_path / "good.jsonl", {"op": "delete", "product_id": "N1"}), tmp_path / "bad.jsonl"
    bad.write_text('{"op": "upse', encoding="utf-8")
    answer = stockroom("apply", good, bad, "--home", run_context.home.root)
    assert answer.status == 1
    assert "bad.jsonl cannot be read" in answer.err
    assert (run_context.home.lake.snapshot(), run_context.home.journal.path.read_bytes()) == before


def test_a_killed_apply_is_gone_on_with(applied, stockroom, tmp_path):
    run_context, *_ = applied
    delta = _write(tmp_path / "tuesday.jsonl", {"op": "delete", "product_id": "N1"})
    apply_deltas(run_context.home.lake, check_deltas([delta]))  # as far as the run got
    answer = stockroom("apply", delta, "--json", "--home", run_context.home.root)
    assert answer.status == 0
    report = json.loads(answer.out)
    assert (report["files"][0]["is_new"], report["changed"], report["run"]["new_release"]) == (False, True, True)
    assert _keys(run_context, "velvet accordion")[0] == "us:N2"


def test_a_run_that_was_killed_once_it_had_published_is_marked_as_failed_by_the_next_apply(applied):
    run_context, _, _, delta, _ = applied
    with open_instance(run_context.home) as instance:
        instance.add_run(
            dg.DagsterRun(job_name="apply", run_id="dead", tags=COMMAND_LINE, status=dg.DagsterRunStatus.STARTED)
        )
    killed = in_progress(run_context.home)
    killed.__enter__()
    assert apply(run_context, [delta]).run is None
    with open_instance(run_context.home) as instance:
        assert instance.get_run_by_id("dead").status is dg.DagsterRunStatus.FAILURE
    assert not was_killed(run_context.home)


def test_without_a_lake_there_is_nothing_to_change(applied, tmp_path):
    run_context, _, _, delta, _ = applied
    empty = replace(run_context, home=replace(run_context.home, root=tmp_path / "home"))
    with pytest.raises(WarehouseError, match="no raw data"):
        apply(empty, [delta])
    assert not (tmp_path / "home").exists()
