"""The searcher returns the results of a brute-force search over the release's vectors."""

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from models.encoder.loading import load_encoder
from models.towers.checkpoint_files import read_manifest
from models.towers.numpy_inference import QueryTower
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.serving.searcher import Searcher
from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.features.query_features import QueryFeatures
from warehouse.vectors.lance_tables import to_matrix

QUERIES = [
    "black tent",
    "  Wireless   EARBUDS ",
    "funda para portátil",
    "ノートパソコン ケース",
    "tent &amp; <b>stakes</b>",
]
CLEANED = ["black tent", "Wireless EARBUDS", "funda para portátil", "ノートパソコン ケース", "tent & stakes"]


@pytest.fixture(scope="module")
def brute_force(home, built):
    """Return what ranks every stored vector by hand: (key, score), best first, ties by product id, then key."""
    release = home.releases.live()
    stored = home.vectors.read(release.vector_table, release.vector_version)
    vectors = to_matrix(stored["vector"])
    encoder = load_encoder(load_settings(built.home).encoder, home.encoders)
    tower = QueryTower.load(home.models / release.model_id)
    features = QueryFeatures(datasets.vocabulary(home.lake, release.snapshot))
    assert read_manifest(home.models / release.model_id)["alpha"] != 0  # else the tower would not matter here

    def rank(cleaned: str, locale: str | None) -> list[tuple[str, float]]:
        given = pl.DataFrame(
            {"key": ["q"], "locale": [locale], "query": [cleaned]}, schema_overrides={"locale": pl.String}
        )
        vector = tower(encoder.encode([cleaned]), features(given))[0]
        scores = vectors.astype(np.float64) @ vector.astype(np.float64)
        rows = zip(
            scores,
            stored["product_id"].to_pylist(),
            stored["key"].to_pylist(),
            stored["locale"].to_pylist(),
            strict=True,
        )
        ranked = sorted((-score, product, key) for score, product, key, place in rows if locale in (None, place))
        return [(key, -score) for score, _, key in ranked]

    return rank


@pytest.mark.parametrize(("query", "cleaned"), list(zip(QUERIES, CLEANED, strict=True)))
@pytest.mark.parametrize("locale", [None, "us", "jp"])
def test_hits_are_those_of_brute_force_over_the_stored_vectors(searcher, brute_force, query, cleaned, locale):
    expected = brute_force(cleaned, locale)[:10]
    hits = searcher.search(query, 10, locale, mode="vector", fold=False)
    assert [hit.rank for hit in hits] == list(range(1, len(expected) + 1))
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-5)
    near_ties = {key for (key, score), (_, other) in pairwise(expected) if score - other < 1e-5}
    if not near_ties:
        assert [hit.key for hit in hits] == [key for key, _ in expected]


def test_a_hit_has_the_facts_of_the_product(searcher, home):
    with home.lake.reading() as connection:
        catalog_rows = {
            row[0]: row[1:]
            for row in connection.sql("SELECT key, product_id, locale, title FROM staging.products").fetchall()
        }
    for hit in searcher.search("black tent", 30):
        assert (hit.product_id, hit.locale, hit.title) == catalog_rows[hit.key]
        assert hit.key == f"{hit.locale}:{hit.product_id}"


def test_k_beyond_the_catalog_returns_all_of_it(searcher, home):
    products = home.vectors.count(searcher.release.vector_table, searcher.release.vector_version)
    for mode in ("ranked", "vector", "encoder"):
        hits = searcher.search("tent", 1000, mode=mode, fold=False)
        assert len({hit.key for hit in hits}) == len(hits) == products
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(searcher.search("tent", 1)) == 1


def test_a_locale_keeps_the_others_out(searcher):
    assert {hit.locale for hit in searcher.search("tent", 1000, "es")} == {"es"}


@pytest.mark.parametrize("locale", ["xx", "xx-YY", "not one", "all"])
def test_a_locale_without_products_is_named_with_those_that_there_are(searcher, locale):
    for call in (searcher.search, searcher.similar):
        query = searcher.search("tent", 1)[0].key if call == searcher.similar else "tent"
        with pytest.raises(WarehouseError, match=f"no products of locale '{locale}'") as refused:
            call(query, locale=locale)
        assert refused.value.hint == "it has es, jp, us; or search without a locale"


def test_a_locale_may_be_written_in_any_way(searcher):
    assert searcher.search("tent", 5, " US ") == searcher.search("tent", 5, "us")
    key = searcher.search("tent", 1, "us")[0].key
    assert searcher.similar(key.replace("us:", "US:"), 5, "ES") == searcher.similar(key, 5, "es")


@pytest.mark.parametrize("blank", ["", "   ", "<br>", "&nbsp;", "\u200b"])
def test_a_query_of_which_cleaning_leaves_nothing_is_refused(searcher, blank):
    with pytest.raises(WarehouseError, match="the query is blank"):
        searcher.search(blank)


def test_an_empty_home_has_no_release(tmp_path):
    from warehouse.home import Home

    with pytest.raises(WarehouseError, match="no release in "):
        Searcher(Home(tmp_path / "home"))
    assert not list(tmp_path.iterdir())


def test_an_encoder_of_another_make_is_refused(copy_home):
    import shutil

    root = copy_home()
    settings = load_settings(root, encoder={"max_tokens": 8, "precision": "f32", "backend": "torch"})
    home = open_home(settings)
    release = home.releases.live()
    shutil.rmtree(home.encoders / release.encoder_fingerprint)
    with pytest.raises(WarehouseError, match=f"was made with encoder {release.encoder_fingerprint}"):
        Searcher(home, settings.encoder)


def test_every_judged_query_has_the_same_features_online_as_offline(home):
    with home.lake.reading() as connection:
        judged = connection.sql(
            "SELECT key, locale, query FROM staging.queries WHERE key IN (SELECT query_key FROM training.pairs) ORDER BY key"
        ).pl()
        stored = connection.sql("SELECT * EXCLUDE input_hash FROM features.queries ORDER BY key").pl()
    assert judged.height > 20
    features = QueryFeatures(datasets.vocabulary(home.lake))
    for row in judged.iter_slices(1):  # one at a time, as a searcher sees them
        online = features(row)
        assert online.equals(stored.filter(pl.col("key") == row["key"][0]))


def test_an_open_searcher_keeps_its_release_until_it_is_refreshed(copy_home):
    from datetime import UTC, datetime

    settings = load_settings(copy_home())
    writer, reader = open_home(settings), open_home(settings)
    searcher = Searcher(reader, settings.encoder)
    before, first = searcher.search("black tent", 5), searcher.release
    gone = [hit.key for hit in before]
    written = writer.vectors.apply(first.vector_table, [], gone, 384)
    published = writer.releases.publish(
        kind="catalog",
        model_id=first.model_id,
        encoder_fingerprint=first.encoder_fingerprint,
        vector_table=first.vector_table,
        vector_version=written.version,
        snapshot=first.snapshot,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    assert published.is_new
    assert searcher.search("black tent", 5) == before
    assert searcher.release == first

    assert searcher.refresh().release == first.release + 1
    after = searcher.search("black tent", 5)
    assert not {hit.key for hit in after} & set(gone)
    assert Searcher(open_home(settings), settings.encoder).search("black tent", 5) == after


SEARCH = """
import sys
from orchestration.cli import main
sys.argv = ["stockroom", "search", "black tent", "-k", "3", "--json", "--home", sys.argv[1]]
try:
    main()
finally:
    heavy = {"torch", "dagster", "sentence_transformers", "transformers", "matplotlib", "bm25s", "lightgbm"}
    print(sorted(heavy & {name.split(".")[0] for name in sys.modules}), file=sys.stderr)
"""


def test_a_cold_search_loads_neither_torch_nor_dagster(built, searcher):
    done = subprocess.run([sys.executable, "-c", SEARCH, str(built.home)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"
    assert json.loads(done.stdout) == [hit.to_dict() for hit in searcher.search("black tent", 3)]


def test_a_product_whose_id_is_the_query_comes_first(searcher, home):
    with home.lake.reading() as connection:
        key, product_id, locale, title = connection.execute(
            "SELECT key, product_id, locale, title FROM staging.products WHERE regexp_matches(product_id, '[0-9]') "
            "ORDER BY hash(key) LIMIT 1"
        ).fetchone()
    for query in (product_id, product_id.lower(), f" {product_id.upper()} ", key):
        answer = searcher.answer(query, k=5, explain=True)
        assert answer.hits[0].title == title
        assert key in {hit.key for hit in answer.hits if hit.rules == ("pinned to 1 by its id",)}
        assert not answer.no_word_found
    for other in {"us", "es", "jp"} - {locale}:
        assert key not in {hit.key for hit in searcher.search(product_id, k=5, locale=other)}
    assert searcher.search(product_id, k=5, where=f"product_id <> '{product_id}'")[0].key != key
    assert not any(hit.rules for hit in searcher.search(f"{product_id} lamp", k=5, explain=True))
