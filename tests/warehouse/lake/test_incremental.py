"""A refresh compares the rows that a change affects, or all rows if those are unknown."""

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.contracts.registry import CONTRACTS
from warehouse.history import checkpoints
from warehouse.lake import incremental, tables, watermarks
from warehouse.lake.dependencies import DERIVATIONS
from warehouse.lake.incremental import lagging, pending, refresh
from warehouse.lake.lake import Lake
from warehouse.lake.watermarks import Progress
from warehouse.settings import WarehouseSettings

EXAMPLES = int(os.environ.get("SUBSETS", "2"))
SETTINGS = WarehouseSettings(threads=1, validation_percent=50)
FEATURES = "features.products"


def dirty(lake, table):
    """Return the pending keys of a table; None: all."""
    with lake.reading() as connection:
        derivation = DERIVATIONS[table]
        pending_rows = pending(
            connection, derivation, incremental.made_by(derivation, lake.settings), Progress.read(connection)
        )
    return None if pending_rows.keys is None else sorted(pending_rows.keys["key"])


def write(lake, *statements):
    for statement in statements:
        with lake.writing() as connection:
            connection.execute(statement)


def contents(lake):
    with lake.reading() as connection:
        return {
            table: connection.sql(f"FROM {table} ORDER BY ALL").fetchall()
            for table in (*DERIVATIONS, "fitted.words", "quarantine.rows")
        }


def test_only_rows_that_a_change_reaches_are_looked_at(built):
    write(
        built,
        f"UPDATE {FEATURES} SET title_chars = 0, input_hash = 'spoiled'",
        "UPDATE staging.products SET title = 'Longer mug', input_hash = 'new' WHERE key = 'us:P2'",
    )
    assert dirty(built, FEATURES) == ["us:P2"]
    with built.writing() as connection:
        assert refresh(connection, FEATURES, built.settings)[0].update["key"].to_list() == ["us:P2"]
    with built.reading() as connection:
        chars = dict(connection.sql(f"SELECT key, title_chars FROM {FEATURES}").fetchall())
    assert chars.pop("us:P2") == 10
    assert set(chars.values()) == {0}
    with built.writing() as connection:
        assert refresh(connection, FEATURES, built.settings, whole=True)[0].update.height == 3


def test_rows_that_lose_what_they_are_made_of_go(built):
    write(built, "DELETE FROM staging.products WHERE key = 'us:P2'")
    with built.writing() as connection:
        assert refresh(connection, FEATURES, built.settings)[0].delete["key"].to_list() == ["us:P2"]


def test_where_nothing_changed_nothing_is_written(built, derive):
    newest = built.snapshot()
    derive(built)
    derive(built, whole=True)
    assert built.snapshot() == newest


@pytest.mark.parametrize(
    ("statement", "reached"),
    [
        (
            "DELETE FROM raw.judgements WHERE key = 'us:1:P2'",
            {"staging.queries": ["us:1"], "staging.judgements": ["us:1:P2"]},
        ),
        ("UPDATE raw.sources SET source = 'x', input_hash = 'x' WHERE query_id = 2", {"staging.queries": ["us:2"]}),
        (
            "DELETE FROM staging.products WHERE key = 'us:P2'",
            {
                "staging.queries": ["us:1", "us:2"],
                "staging.judgements": ["us:1:P2", "us:2:P2"],
                "features.pairs": ["us:1:P2", "us:2:P2"],
                "training.pairs": ["us:1:P2", "us:2:P2"],
                "fitted.vocabulary": None,
            },
        ),
        ("DELETE FROM splits.queries WHERE key = 'es:3'", {"training.pairs": ["es:3:P1"], "fitted.vocabulary": None}),
        ("DELETE FROM fitted.vocabulary WHERE kind = 'brand'", {"features.queries": None}),
        ("UPDATE fitted.vocabulary SET share = 0, input_hash = 'x'", {"features.queries": []}),
        (
            "UPDATE features.queries SET query_brand = 'x', input_hash = 'x' WHERE key = 'us:2'",
            {"features.pairs": ["us:2:P2"]},
        ),
        ("UPDATE fitted.words SET weight = 9, input_hash = 'x' WHERE key = 'us:mug'", {"features.pairs": None}),
        (
            "UPDATE training.pairs SET label = 'S', input_hash = 'x' WHERE key = 'us:1:P1'",
            {"training.point_in_time": ["us:1:P1"]},
        ),
    ],
)
def test_a_changed_row_reaches_what_is_made_of_it(built, statement, reached):
    write(built, statement)
    for table, keys in reached.items():
        assert dirty(built, table) == keys, table


def test_queries_of_one_text_are_made_together(built):
    write(built, "UPDATE staging.queries SET query = 'MUG without handle', split = 'train' WHERE key = 'us:1'")
    assert dirty(built, "splits.queries") == ["us:1", "us:2"]


def test_under_another_setting_or_rule_all_rows_are_looked_at(built, monkeypatch):
    other = Lake(built.root, built.settings.model_copy(update={"validation_percent": 7}))
    assert (dirty(other, "splits.queries"), dirty(other, FEATURES)) == (None, [])
    monkeypatch.setattr(incremental, "_MECHANISM", "other")
    assert dirty(built, FEATURES) is None


def test_settings_that_decide_no_row_do_not_count(built):
    other = Lake(built.root, built.settings.model_copy(update={"memory_gb": 1.0, "batch_rows": 7}))
    with other.reading() as connection:
        assert lagging(Progress.read(connection), DERIVATIONS, other.settings) == []


def test_where_most_of_many_rows_changed_all_are_looked_at(built, monkeypatch):
    write(built, "UPDATE staging.products SET title = 'x' WHERE locale = 'us'")
    assert dirty(built, FEATURES) == ["us:P1", "us:P2"]
    monkeypatch.setattr(incremental, "FEW", 0)
    assert dirty(built, FEATURES) is None


def test_a_watermark_moves_only_with_its_rows(built):
    write(built, "DELETE FROM staging.products WHERE key = 'us:P2'")
    before = contents(built)

    def killed_before_the_commit():
        with built.writing() as connection:
            refresh(connection, FEATURES, built.settings)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        killed_before_the_commit()
    assert contents(built) == before
    assert dirty(built, FEATURES) == ["us:P2"]


def test_an_expired_watermark_is_lifted_if_it_stays_correct(built):
    with built.reading() as connection:
        stored = watermarks.read(connection)
    write(built, "UPDATE staging.queries SET query = 'other' WHERE key = 'us:1'")
    expired = sorted({watermark.snapshot for watermark in stored.values()})
    checkpoints.expire(built, expired, lambda key: DERIVATIONS[key].sources)
    assert dirty(built, FEATURES) == []  # its sources have not changed since
    assert dirty(built, "features.queries") is None


def test_the_lagging_tables_are_named(built):
    with built.reading() as connection:
        assert lagging(Progress.read(connection), DERIVATIONS, built.settings) == []
    write(built, "DELETE FROM raw.products WHERE key = 'us:P2'")
    with built.reading() as connection:
        assert lagging(Progress.read(connection), DERIVATIONS, built.settings) == ["staging.products"]


CHANGES = st.one_of(
    st.tuples(st.just("product"), st.integers(0, 5), st.sampled_from(["Red mug", "Nike socks", "<b> </b>", None])),
    st.tuples(st.just("judgement"), st.integers(0, 11), st.sampled_from(["E", "I", None])),
    st.tuples(st.just("source"), st.integers(1, 4), st.sampled_from(["web", None])),
)
TABLES = st.lists(st.sampled_from([*DERIVATIONS, "fitted.words"]), min_size=1, max_size=6)
STEPS = st.lists(
    st.one_of(
        CHANGES,
        st.tuples(
            st.just("refresh"),
            TABLES,
            st.none(),
        ),
        st.tuples(st.just("expire"), st.integers(0, 100), st.none()),
    ),
    min_size=1,
    max_size=12,
)
TEXTS = ("red mug", "RED mug", "nike socks", "socks")


def apply_change(connection, kind, number, value):
    """Change one raw row as a delta would: delete it, and insert the new row if there is one."""
    if kind == "product":
        key = f"us:P{number}"
        row = {
            "key": key,
            "product_id": f"P{number}",
            "product_locale": "us",
            "product_title": value,
            "product_brand": "Nike",
        }
        table = "raw.products"
    elif kind == "judgement":
        product, query = number % 6, 1 + number % 4
        key = f"us:{query}:P{product}"
        row = {
            "key": key,
            "example_id": number,
            "query": TEXTS[query - 1],
            "query_id": query,
            "product_id": f"P{product}",
        }
        row |= {"product_locale": "us", "esci_label": value, "small_version": 1, "large_version": 1}
        row |= {"split": "test" if query == 2 else "train"}
        table = "raw.judgements"
    else:
        key, row, table = str(number), {"key": str(number), "query_id": number, "source": value}, "raw.sources"
    connection.execute(f"DELETE FROM {table} WHERE key = ?", [key])
    if value is not None:
        row |= {"input_hash": repr((kind, number, value))}
        values = ", ".join(f'? AS "{name}"' for name in row)
        connection.execute(f"INSERT INTO {table} BY NAME SELECT {values}", list(row.values()))


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_any_subset_of_refreshes_in_any_order_ends_where_all_of_them_do(derive, steps, tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("any") / "lake", SETTINGS)
    with lake.writing() as connection:
        for table in ("raw.products", "raw.judgements", "raw.sources"):
            tables.ensure(connection, CONTRACTS[table])
        for number in range(6):
            apply_change(connection, "product", number, "Red mug")
        for number in range(12):
            apply_change(connection, "judgement", number, "E")
    derive(lake)
    for kind, first, second in steps:
        if kind == "refresh":
            derive(lake, first)
        elif kind == "expire":
            existing_snapshots = checkpoints.snapshots(lake)[:-1]
            chosen = random.Random(first).sample(existing_snapshots, len(existing_snapshots) // 2)
            checkpoints.expire(lake, chosen, lambda key: DERIVATIONS[key].sources)
        else:
            with lake.writing() as connection:
                apply_change(connection, kind, first, second)
    derive(lake)
    followed = contents(lake)
    derive(lake, whole=True)
    assert contents(lake) == followed
    whole = Lake(tmp_path_factory.mktemp("whole") / "lake", SETTINGS)
    with lake.reading() as source, whole.writing() as connection:
        for table in ("raw.products", "raw.judgements", "raw.sources"):
            tables.ensure(connection, CONTRACTS[table])
            rows = source.sql(f"FROM {table}").pl()
            if rows.height:
                connection.execute(f"INSERT INTO {table} BY NAME FROM rows")
    derive(whole)
    assert contents(whole) == followed
