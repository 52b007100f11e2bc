"""A ranked search: both legs, the ranker of the release, filters, equal titles, and parts that are missing."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.ranking.candidate_search import with_query_keys
from assets.ranking.ranked_search import ranked, search_as
from assets.services.serving_model import ServingModel
from assets.services.vector_refresh import stored_vectors
from models.errors import ModelError
from models.evaluation.judged_set import Catalog, JudgedSet
from models.evaluation.rankers import DenseRanker
from models.ranking.candidates import Candidates
from models.ranking.ordering import Ordering
from models.ranking.ranker_files import StoredRanker
from orchestration.config.open_context import open_run_context
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.features.pair_features import NAMES
from warehouse.search.product_filter import ProductFilter


@pytest.fixture(scope="module")
def products(home):
    with home.lake.reading() as connection:
        return connection.sql("FROM staging.products JOIN features.products USING (key)").pl()


def test_a_search_shows_what_the_evaluation_measured(built, home, searcher):
    """Every candidate of every judged query: its features, its score and its place."""
    run_context, release = open_run_context(load_settings(built.home)), home.releases.live()
    judgements = pl.concat(
        [datasets.held_out_judgements(home.lake).drop("small_version"), datasets.validation_judgements(home.lake)]
    )
    catalog_products = datasets.products(home.lake).sort("locale", "product_id")
    catalog = Catalog(catalog_products.select("locale", "product_id"))
    judged = JudgedSet.from_frame(judgements, catalog)
    model, ranker = ServingModel(run_context, release.model_id), StoredRanker.load(home.rankers / release.ranker_id)
    vectors = stored_vectors(run_context, release.vector_table, release.vector_version, catalog_products)
    dense = DenseRanker(model.query_vectors(with_query_keys(judged)), vectors)
    found = search_as(run_context, ranker, model, catalog, judged, dense, release.text_version)
    scores, keys = ranked(found, ranker.ordering).scores, catalog_products["key"].to_list()
    assert len(judged) > 5
    for number, (locale, query) in enumerate(judged.queries.select("locale", "query").iter_rows()):
        rows = range(found.candidates.offsets[number], found.candidates.offsets[number + 1])
        offline = {keys[found.rows[row]]: row for row in rows if found.candidates.is_retrieved[row]}
        hits = [hit for hit in searcher.search(query, 1000, locale, explain=True, fold=False) if hit.explanation]
        assert {hit.key for hit in hits} == offline.keys()
        for hit in hits:
            row = offline[hit.key]
            own = [hit.explanation.features[name] for name in NAMES]
            assert [np.nan if value is None else float(value) for value in own] == pytest.approx(
                found.candidates.features[row].tolist(), abs=1e-12, nan_ok=True
            )
            assert hit.score == pytest.approx(scores[row], abs=1e-5)
            assert hit.explanation.text_rank == found.candidates.text_ranks[row]


def test_words_of_a_description_are_found(home, searcher, products):
    row = products.filter(pl.col("body_words") != "", pl.col("description").is_not_null()).row(0, named=True)
    known = set(" ".join(products.filter(pl.col("key") != row["key"])["body_words"]).split())
    rare = [word for word in row["body_words"].split() if word not in known and word not in row["title_words"].split()]
    if not rare:
        rare = row["body_words"].split()[:3]
    hits = home.texts.search(searcher.release.text_version, rare, 10, row["locale"])
    assert row["key"] in hits["key"].to_list()


@pytest.mark.parametrize("mode", ["ranked", "vector", "text", "encoder"])
def test_a_filter_applies_before_the_ranking(searcher, products, mode):
    wanted = set(products.filter(pl.col("color_key") == "black", pl.col("locale") == "us")["key"])
    hits = searcher.search("tent", len(wanted), "us", where="color = 'BLACK'", mode=mode, fold=False)
    if mode == "text":
        assert {hit.key for hit in hits} <= wanted
    else:
        assert {hit.key for hit in hits} == wanted
        assert len(wanted) > 3
    assert searcher.search("tent", where="color = 'no such color'", mode=mode) == []


def test_a_filter_may_name_features(searcher, products):
    hits = searcher.search("tent", 1000, where="description_chars > 0 AND NOT brand IS NULL", fold=False)
    expected = products.filter(pl.col("description_chars") > 0, pl.col("brand").is_not_null())
    assert {hit.key for hit in hits} == set(expected["key"])
    assert 0 < expected.height < products.height


@pytest.mark.parametrize("mode", ["ranked", "vector", "text", "encoder"])
def test_facets_count_the_products_that_the_legs_found_and_change_no_hit(searcher, home, mode):
    answer = searcher.answer(
        "black tent", 3, "us", facets=["brand", "title_chars"], values=100, mode=mode, explain=True
    )
    assert answer.hits == searcher.search("black tent", 3, "us", mode=mode, explain=True)
    found = {hit.key for hit in searcher.search("black tent", answer.found, "us", mode=mode, fold=False)}
    assert answer.found == len(found) > 3
    for facet in answer.facets:
        assert sum(each.count for each in facet.values) + facet.without == answer.found
        for each in facet.values:
            with home.lake.reading(searcher.release.snapshot) as connection:
                assert len(found & {*ProductFilter.parse(each.where).keys(connection)}) == each.count
            narrowed = searcher.answer("black tent", 3, "us", where=each.where, facets=["brand"], mode=mode)
            assert narrowed.found >= each.count


def test_facets_follow_the_filter(searcher):
    answer = searcher.answer("tent", where="color = 'black'", facets=["COLOR"], fold=False)
    assert [(facet.column, len(facet.values)) for facet in answer.facets] == [("color", 1)]
    assert answer.facets[0].values[0].count == answer.found
    assert searcher.answer("tent", where="color = 'no such color'", facets=["color"]).found == 0
    with pytest.raises(WarehouseError, match="products have no column 'colour'"):
        searcher.answer("tent", facets=["colour"])


def test_filters_of_many_products_widen_the_search(searcher, monkeypatch):
    plain = searcher.search("black tent", 5, "us", where="title IS NOT NULL", fold=False)
    monkeypatch.setattr("warehouse.vectors.product_vectors._FEW_KEYS", 0)
    monkeypatch.setattr("warehouse.vectors.text_index._FEW_KEYS", 0)
    wide = searcher.search("black tent", 5, "us", where="title IS NOT NULL", fold=False)
    assert [hit.key for hit in wide] == [hit.key for hit in plain]
    assert [hit.key for hit in wide] == [hit.key for hit in searcher.search("black tent", 5, "us", fold=False)]


def test_of_equal_titles_the_best_is_shown_and_the_others_are_counted(searcher):
    every = searcher.search("tent", 1000, fold=False)
    folded = searcher.search("tent", 1000)
    titles = [(hit.locale, hit.title.casefold()) for hit in every]
    assert [(hit.locale, hit.title.casefold()) for hit in folded] == list(dict.fromkeys(titles))
    assert sum(hit.same_title for hit in folded) == len(every) - len(folded)
    assert len(searcher.search("tent", 7)) == 7


def test_similar_products_are_those_with_the_nearest_vectors(home, searcher):
    release = home.releases.live()
    rows = home.vectors.read(release.vector_table, release.vector_version).to_pylist()
    first, *others = sorted(rows, key=lambda row: row["key"])
    cosines = {
        row["key"]: float(np.dot(row["vector"], first["vector"])) for row in others if row["locale"] == first["locale"]
    }
    hits = searcher.similar(first["key"], 5, fold=False)
    assert [hit.score for hit in hits] == pytest.approx(sorted(cosines.values(), reverse=True)[:5], abs=1e-5)
    assert first["key"] not in {hit.key for hit in hits}
    with pytest.raises(WarehouseError, match="has no product 'us:none'"):
        searcher.similar("us:none")


@pytest.mark.parametrize("query", ["!!!", "the of and", "हिन्दी", "x" * 100_000, "tent " * 30_000, "''; --"])
def test_any_query_is_answered(searcher, query):
    hits = searcher.search(query, 3)
    assert [hit.rank for hit in hits] == [1, 2, 3]


def test_no_products_are_refused(searcher):
    with pytest.raises(WarehouseError, match="a search for 0 products finds none"):
        searcher.search("tent", 0)


def test_a_release_with_a_damaged_part_is_named_and_the_searcher_stays_where_it_was(built, copy_home):
    settings = load_settings(copy_home())
    reader = open_home(settings)
    searcher, release = Searcher(reader, settings.encoder), reader.releases.live()
    before = searcher.search("black tent", 3)
    folder = reader.rankers / release.ranker_id
    shutil.copytree(folder, folder.with_name("kept"))
    for name in ("ranker.json", "words.parquet", "spellings.parquet", "translations.parquet"):
        (folder / name).write_bytes(b"{}")
        with pytest.raises(ModelError, match="stockroom build"):
            searcher.move_to(release)
        assert searcher.search("black tent", 3) == before
        shutil.copy(folder.with_name("kept") / name, folder / name)
    shutil.rmtree(Path(reader.vectors.root) / "texts_1.lance")
    reader = open_home(settings)
    with pytest.raises(WarehouseError, match="of the text index"):
        Searcher(reader, settings.encoder)


def test_a_misspelled_word_is_corrected_where_the_ranker_does_so(built, monkeypatch):
    load = StoredRanker.load
    monkeypatch.setattr(StoredRanker, "load", lambda folder: replace(load(folder), corrects_spelling=True))
    searcher = Searcher(built.home)
    answer = searcher.answer("blakc", 5, "us", mode="text")
    assert answer.corrections == answer.to_dict()["corrections"] == {"blakc": "black"}
    assert answer.hits == searcher.search("black", 5, "us", mode="text") != []
    assert searcher.answer("black", 5, "us").corrections == {}
    assert searcher.answer("blakc", 5, "us", mode="vector").corrections == {}


def test_the_text_leg_finds_by_words_alone(searcher):
    hits = searcher.search("black tent", 1000, "us", mode="text", explain=True, fold=False)
    assert {"text"} <= set(hits[0].explanation.found_by)
    assert all("text" in hit.explanation.found_by for hit in hits)
    assert searcher.search("zzzzzz", 5, "us", mode="text") == []


def test_the_text_leg_orders_by_words_alone(searcher):
    hits = searcher.search("black tent", 20, "us", mode="text", explain=True, fold=False)
    assert [hit.explanation.text_rank for hit in hits] == sorted(hit.explanation.text_rank for hit in hits)
    scores = [hit.explanation.text_score for hit in hits]
    one = Candidates(
        np.array([0, len(hits)]),
        np.array([hit.explanation.cosine for hit in hits]),
        np.array([[float(hit.explanation.features[name] or 0) for name in NAMES] for hit in hits]),
        np.zeros(len(hits)),
        NAMES,
        np.array([hit.locale for hit in hits]),
        np.ones(1, bool),
        np.ones(len(hits), bool),
    )
    assert Ordering("text")(one).tolist() == pytest.approx(scores)
