"""A build processes only what is new: the same files again, then changed files, then the first files again."""

import shutil
from dataclasses import replace

import dagster as dg
import polars as pl
import pytest

from models.settings import DEFAULT_MODEL
from orchestration.cli import output
from orchestration.cli.build import show
from orchestration.commands.apply import apply
from orchestration.commands.build import BuildReport, build
from orchestration.config.open_context import open_run_context
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.definitions import defs
from orchestration.instance.dagster_instance import open_instance
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import catalog
from warehouse.operations import consistency

STORES_EVENTS = True
pytestmark = pytest.mark.slow

PRODUCTS = "shopping_queries_dataset_products.parquet"
NEW, TWINS, KNOWN, WHITE = range(4), range(4, 6), range(6, 9), range(9, 12)


@pytest.fixture(scope="module")
def changed_raw(built, tmp_path_factory):
    """Return a copy of the files in which 12 titles changed: 4 new texts, 2 alike, 3 known, 3 in white space."""
    folder = tmp_path_factory.mktemp("changed") / "esci"
    shutil.copytree(built.raw, folder)
    rows = pl.read_parquet(folder / PRODUCTS).with_row_index("row")
    key = pl.format("{}:{}", "product_locale", "product_id")
    good = rows.filter(
        key.is_unique()
        & pl.col("product_id").str.len_bytes().gt(0)
        & pl.col("product_title").str.strip_chars().str.len_bytes().gt(0)
    )
    chosen, donor = good.head(12).to_dicts(), good.tail(1).to_dicts()[0]
    text = ("product_title", "product_brand", "product_color")
    for place, row in enumerate(chosen):
        if place in NEW:
            row["product_title"] = f"Entirely new thing number {place}"
        elif place in TWINS:
            row |= dict(zip(text, ("One new text of two products", None, None), strict=True))
        elif place in KNOWN:
            row |= {name: donor[name] for name in text}
        else:
            row["product_title"] = f"  {row['product_title']} \t"
    changed = (
        pl.concat([rows, pl.DataFrame(chosen, schema=rows.schema)]).unique("row", keep="last").sort("row").drop("row")
    )
    assert (changed != pl.read_parquet(folder / PRODUCTS)).select(pl.any_horizontal(pl.all())).sum().item() == 12
    changed.write_parquet(folder / PRODUCTS)
    return folder


@pytest.fixture(scope="module")
def history(built, changed_raw, copy_home):
    """Build on a copied home: the same files, changed files, the first files again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        root = copy_home()
        run_context = open_run_context(load_settings(root))
        texts = {"first": _texts(run_context.home)}
        (root / "last_build.json").unlink()  # so that the same files are not skipped
        reports = {"same": build(run_context, built.raw), "changed": build(run_context, changed_raw)}
        texts["changed"] = _texts(run_context.home)
        # with force: the gate need not find the first model, of the same judgements, as good as the one of the changed files
        reports["back"] = build(replace(run_context, force=True), built.raw)
        return root, reports, texts


def _texts(home) -> set[str]:
    """Return what is to be encoded, put together without the code under test."""
    with home.lake.reading() as connection:
        rows = connection.sql("SELECT title, brand, color FROM staging.products").fetchall()
        queries = [(query,) for (query,) in connection.sql("SELECT query FROM staging.queries").fetchall()]
    return {" ".join(part for part in row if part) for row in rows + queries}


def test_the_same_files_again_change_nothing(built, history):
    _, reports, _ = history
    same = reports["same"]
    assert not same.changed
    assert (same.new_snapshot, same.new_vectors, same.new_release) == (False, False, False)
    assert same.texts_encoded == 0
    assert same.cleaned == {"staging.products": 0, "staging.queries": 0}
    for fact in ("snapshot", "vector_version", "release", "model", "rows", "relevance"):
        assert getattr(same, fact) == built.report[fact]


def test_a_build_in_which_nothing_changed_says_so(history, tmp_path, capsys):
    show(history[1]["same"], tmp_path, DEFAULT_MODEL)
    assert "Nothing changed: 0 texts encoded, no new snapshot" in " ".join(capsys.readouterr().out.split())


def test_changed_titles_encode_exactly_the_distinct_unseen_texts(history):
    _, reports, texts = history
    unseen = texts["changed"] - texts["first"]
    assert len(unseen) == len(NEW) + 1
    assert reports["changed"].texts_encoded == len(unseen)


def test_changed_titles_reclean_exactly_the_changed_rows(history):
    _, reports, _ = history
    assert reports["changed"].cleaned == {"staging.products": 12, "staging.queries": 0}


def test_changed_titles_make_a_new_release(built, history):
    changed = history[1]["changed"]
    assert changed.changed
    assert changed.new_snapshot
    assert changed.new_vectors
    assert changed.new_release
    assert changed.release == built.report["release"] + 1
    assert changed.snapshot > built.report["snapshot"]


def test_going_back_to_the_first_files_encodes_nothing_and_is_a_new_release_of_the_first_model(built, history):
    root, reports, _ = history
    back = reports["back"]
    assert back.texts_encoded == 0
    assert back.cleaned["staging.products"] == 12
    assert back.release == reports["changed"].release + 1
    assert back.model == built.report["model"]
    # the same as at first, and now there is a model before it to be measured beside
    for ranker in ("model", "encoder", "bm25", "random"):
        assert back.relevance["rankers"][ranker] == built.report["relevance"]["rankers"][ranker]
    assert back.relevance["model_minus_encoder"] == built.report["relevance"]["model_minus_encoder"]
    table_rows = {
        table: rows
        for table, rows in back.rows.items()
        if table.split(".")[0] not in ("evaluation", "monitoring", "registry")
    }
    assert table_rows.items() <= built.report["rows"].items()
    home = open_home(load_settings(root))
    assert consistency.key_differences(home, home.releases.live()) == (0, 0)


def test_every_run_is_in_the_instance_that_the_ui_shows(history):
    root, reports, _ = history
    with open_instance(open_home(load_settings(root))) as instance:
        runs = {run.run_id: run for run in instance.get_runs()}
        assert {runs[report.run_id].status for report in reports.values()} == {dg.DagsterRunStatus.SUCCESS}
        assert {run.job_name for run in runs.values()} == {"build"}
        assert len(runs) == 1 + len(reports)


def test_every_asset_reports_rows_first_rows_and_data_version(history):
    root, reports, _ = history
    home = open_home(load_settings(root))
    with open_instance(home) as instance:
        for key in defs.resolve_asset_graph().get_all_asset_keys():
            event = instance.get_latest_materialization_event(key)
            assert event is not None, key
            assert event.run_id == reports["back"].run_id
            assert event.asset_materialization.tags["dagster/data_version"], key
            metadata = event.asset_materialization.metadata
            if key.path[0] != "model":
                assert metadata["preview"].value.startswith("| "), key
                assert metadata["dagster/row_count"].value == _rows(home, key, reports["back"]), key


def _rows(home, key, report):
    match key.path:
        case ["vectors", "products"]:
            return home.vectors.count(home.releases.live().vector_table, report.vector_version)
        case ["vectors", "texts"]:
            return home.texts.count(home.releases.live().text_version)
        case ["embeddings", "texts"]:
            return home.embeddings.count(home.releases.live().encoder_fingerprint)
        case ["releases", "live"]:
            return len(home.releases.all())
        case path:
            return report.rows[".".join(path)]


def test_a_table_that_is_not_written_to_keeps_its_data_version(built, history):
    root, reports, _ = history
    home = open_home(load_settings(root))
    versions: dict[str, list[str]] = {}
    with open_instance(home) as instance:
        for run in ("same", "changed", "back"):
            for event in instance.all_logs(reports[run].run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
                made = event.dagster_event.step_materialization_data.materialization
                versions.setdefault(made.asset_key.to_user_string(), []).append(made.tags["dagster/data_version"])
    for table in (
        "raw/products",
        "staging/products",
        "features/products",
        "training/pairs",
        "model/two_tower",
        "vectors/products",
    ):
        same, changed, back = versions[table]
        assert changed not in (same, back), table
    assert versions["model/two_tower"][0] == versions["model/two_tower"][2]
    assert len(set(versions["staging/queries"])) == 1


def test_the_data_version_of_a_table_names_its_rows_and_its_last_change(history):
    root, reports, _ = history
    home = open_home(load_settings(root))
    versions = {}
    with open_instance(home) as instance:
        for event in instance.all_logs(reports["back"].run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
            made = event.dagster_event.step_materialization_data.materialization
            versions[".".join(made.asset_key.path)] = made.tags["dagster/data_version"]
    with home.lake.reading(reports["back"].snapshot) as connection:
        stand = {table: catalog.state(connection).data_version(table) for table in versions.keys() & CONTRACTS.keys()}
    assert stand.keys() > {"staging.products", "evaluation.metrics", "monitoring.feature_stats", "raw.files"}
    assert {table: versions[table] for table in stand} == stand


def test_the_run_log_has_the_last_run(history):
    root, reports, _ = history
    journal = open_home(load_settings(root)).journal
    assert journal.last() == journal.run(reports["back"].run_id)
    assert journal.run(reports["changed"].run_id)["embeddings.texts"]["texts_encoded"] == len(NEW) + 1


def test_a_build_ends_on_one_screen(built, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(output.console, "_width", 80)
    show(BuildReport(**built.report), tmp_path / "h", DEFAULT_MODEL)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 30
    told = " ".join(" ".join(lines).split())
    queries = built.report["relevance"]["rankers"]["model"]["queries"]
    assert f"relevance on {queries} test queries" in told
    for word in ("quarantined", "search against model", "against BM25", "random", "no model was live before"):
        assert word in told
    refusal = built.report["quarantined"][0]
    assert refusal["keys"][0] in told
    assert len(refusal["keys"]) == min(refusal["rows"], 3)


def test_a_build_after_an_apply_publishes_the_ranker_that_knows_the_new_words_once(built, copy_home, tmp_path):
    run_context = open_run_context(load_settings(copy_home()))
    delta = tmp_path / "new.jsonl"
    delta.write_text('{"op": "upsert", "product_locale": "us", "product_id": "N1", "product_title": "Accordion"}\n')
    applied = apply(run_context, [delta])
    report = build(open_run_context(load_settings(run_context.home.root)), built.raw)
    assert (report.changed, report.new_release, report.release) == (True, True, applied.release + 1)
    live = run_context.home.releases.live()
    assert (live.kind, live.model_id) == ("model", built.report["model"])
    again = build(open_run_context(load_settings(run_context.home.root)), built.raw)
    assert not again.changed
