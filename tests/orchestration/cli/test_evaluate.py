"""`stockroom evaluate` on the test split and on judgements of one's own."""

import json

import polars as pl
import pytest

from orchestration.cli.relevance_output import show_trust

RANKERS = {"random", "bm25", "encoder", "model", "text", "ranked"}
METRICS = {"ndcg", "ndcg_official", "ndcg_two_gains", "recall@10", "recall@100", "mrr"}


@pytest.fixture(scope="module")
def catalog(built):
    """Return (locale, product_id) of six products of the us catalog."""
    from orchestration.config.open_home import open_home
    from orchestration.config.settings import load_settings

    with open_home(load_settings(built.home)).lake.reading() as connection:
        rows = connection.sql(
            "SELECT product_id FROM staging.products WHERE locale = 'us' ORDER BY key LIMIT 6"
        ).fetchall()
    return [product for (product,) in rows]


@pytest.fixture
def examples(tmp_path):
    """Return a writer of an examples file: rows of (query, query_id, product_id, label), all of locale us."""

    def write(*rows):
        frame = pl.DataFrame(
            [
                {
                    "example_id": place,
                    "query": query,
                    "query_id": query_id,
                    "product_id": product,
                    "product_locale": "us",
                    "esci_label": label,
                    "small_version": 0,
                    "large_version": 1,
                    "split": "train",
                }
                for place, (query, query_id, product, label) in enumerate(rows)
            ]
        )
        frame.write_parquet(tmp_path / "mine.parquet")
        return tmp_path / "mine.parquet"

    return write


def test_on_the_test_split_it_equals_what_the_build_measured(stockroom, built):
    report = json.loads(stockroom("evaluate", "--json", "--home", built.home).out)
    assert set(report["rankers"]) == RANKERS
    for ranker, means in report["rankers"].items():
        assert METRICS | {"queries"} <= set(means)
        for name in METRICS | {"queries"}:
            assert means[name] == built.report["relevance"]["rankers"][ranker][name]
    assert set(report["model_minus_encoder"]) == METRICS
    for metric, interval in report["model_minus_encoder"].items():
        assert list(interval) == ["mean", "low", "high", "queries"]
        assert interval == built.report["relevance"]["model_minus_encoder"][metric]
        assert interval["low"] <= interval["mean"] <= interval["high"]
        difference = report["rankers"]["model"][metric] - report["rankers"]["encoder"][metric]
        assert interval["mean"] == pytest.approx(difference, abs=1e-12)
    assert report["release"] == 1
    assert "missing_products" not in report


def test_the_output_says_how_far_the_numbers_can_be_trusted_as_a_build_does(stockroom, built, capsys):
    show_trust(built.report["relevance"])
    trust = capsys.readouterr().out
    assert trust.startswith("trust ")
    assert "against BM25" in trust
    assert trust in stockroom("evaluate", "--home", built.home).out


def test_a_file_of_any_ids_is_measured_on_the_products_that_the_catalog_has(stockroom, built, catalog, examples):
    file = examples(
        ("black tent", 900001, catalog[0], "E"),
        ("black tent", 900001, catalog[1], "I"),
        ("black tent", 900001, "NOWHERE2", "E"),
        ("no such thing", 900002, "NOWHERE1", "E"),
        ("red <b>shoes</b>", 900003, catalog[2], "X"),
        ("red <b>shoes</b>", 900003, catalog[2], "S"),
        ("red <b>shoes</b>", 900003, catalog[2], "I"),
    )
    report = json.loads(stockroom("evaluate", "--examples", file, "--json", "--home", built.home).out)
    assert report["missing_products"] == {"count": 2, "products": ["us:NOWHERE1", "us:NOWHERE2"]}
    assert report["refused_rows"] == {"duplicate_key": 1, "unknown_label": 1}
    assert report["queries"] == 2
    assert report["judgements"] == 3
    assert set(report["rankers"]) == RANKERS
    assert {means["queries"] for means in report["rankers"].values()} == {2}
    one_label = report["rankers"]["model"]["ndcg"]  # a list of one S is ideal in any order; the other has two gains
    assert 0.5 < one_label <= 1.0


def test_the_output_names_missing_and_refused_judgements(stockroom, built, catalog, examples):
    file = examples(("tent", 1, catalog[0], "E"), ("tent", 1, "NOWHERE", "E"), ("tent", 1, catalog[1], "Q"))
    answer = stockroom("evaluate", "--examples", file, "--home", built.home)
    assert answer.status == 0
    output = " ".join(answer.out.split())
    assert "1 judged product is not in the catalog: us:NOWHERE" in output
    assert "1 row refused: unknown_label" in output
    for ranker in RANKERS:
        assert ranker in answer.out


def test_a_file_whose_products_are_all_unknown_is_named(stockroom, built, examples):
    file = examples(("tent", 1, "NOWHERE", "E"))
    answer = stockroom("evaluate", "--examples", file, "--home", built.home)
    assert answer.status == 1
    assert f"no judgement in {file} is of a product in the catalog" in answer.err


def test_a_missing_or_broken_file_is_named(stockroom, built, tmp_path):
    file = tmp_path / "mine.parquet"
    assert f"{file} is missing" in stockroom("evaluate", "--examples", file, "--home", built.home).err
    file.write_bytes(b"PAR1 no more")
    answer = stockroom("evaluate", "--examples", file, "--home", built.home)
    assert answer.status == 1
    assert f"{file} cannot be read" in answer.err


def test_without_a_release_there_is_nothing_to_measure(stockroom, tmp_path):
    answer = stockroom("evaluate", "--home", tmp_path / "home")
    assert answer.status == 1
    assert "no release in" in answer.err
    assert not list(tmp_path.iterdir())


def test_another_encoder_than_the_release_has_is_refused(stockroom, built, monkeypatch):
    monkeypatch.setenv("STOCKROOM_ENCODER__MAX_TOKENS", "8")
    answer = stockroom("evaluate", "--home", built.home)
    assert answer.status == 1
    assert "made with another encoder" in answer.err
