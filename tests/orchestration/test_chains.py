"""Deltas and full snapshots, applied singly, in batches or replayed from the archive, result in equal tables and vectors.

`make test` runs the short chains that are written out, `make slow` the long one. TRIALS sets how many drawn ones are run
besides (50 in `make torture`).
"""

import hashlib
import json
import os
import shutil
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from assets.run_context import RunContext
from assets.services.serving_model import ServingModel
from assets.services.text_vectors import product_texts
from assets.services.vector_refresh import embed
from orchestration.config.settings import load_settings
from warehouse.contracts.registry import CONTRACTS
from warehouse.features import datasets, offline_store
from warehouse.history import checkpoints, table_diff
from warehouse.home import Home
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.deltas import apply_deltas, ensure
from warehouse.ingest.full_snapshot import ingest
from warehouse.ingest.sources import input_files
from warehouse.lake.sync_tables import DERIVED_TABLES, RAW_TABLES, sync
from warehouse.operations.replay import archive_files, prune_archive, replay
from warehouse.settings import WarehouseSettings

EXAMPLES = int(os.environ.get("TRIALS", "0"))  # besides those that are written out
PHASES = tuple(Phase) if EXAMPLES else (Phase.explicit,)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
EARLIER, NOON, LATER = (f"2026-01-01T{hour}:00:00Z" for hour in (11, 12, 13))
TIMES = st.sampled_from([None, EARLIER, NOON, LATER])
IDS = ("P1", "P2", "P3")


def _product(op, product_id, title, brand, time):
    columns = {"product_title": title, "product_brand": brand} if op == "upsert" else {}
    return {"op": op, "product_locale": "us", "product_id": product_id, "event_time": time, **columns}


def _judgement(op, product_id, query_id, label, time):
    row = {"op": op, "product_locale": "us", "query_id": query_id, "product_id": product_id, "event_time": time}
    return row | (_judged(product_id, query_id, label) if op == "upsert" else {})


def _judged(product_id, query_id, label):
    return {
        "example_id": 10 * query_id + IDS.index(product_id),
        "query": f"warm socks {query_id}",
        "query_id": query_id,
        "product_id": product_id,
        "product_locale": "us",
        "esci_label": label,
        "small_version": 1,
        "large_version": 1,
        "split": "test" if query_id == 3 else "train",
    }


OPS = st.sampled_from(["upsert", "upsert", "delete", "replace"])
PRODUCT_WORDS = st.builds(
    _product,
    OPS,
    st.sampled_from([*IDS, None]),
    st.sampled_from(["<b>Wool</b> socks", "Cotton socks", " "]),
    st.sampled_from([None, "Nike"]),
    TIMES,
)
JUDGEMENT_WORDS = st.builds(
    _judgement, OPS, st.sampled_from(IDS), st.sampled_from([1, 2, 3]), st.sampled_from("ESX"), TIMES
)
# A delta; the name of one that came in before, to come again; that one's bytes under another name; or a full snapshot.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("delta"), st.lists(PRODUCT_WORDS, min_size=1, max_size=4)),
        st.tuples(st.just("delta"), st.lists(JUDGEMENT_WORDS, min_size=1, max_size=3)),
        st.tuples(st.sampled_from(["again", "renamed"]), st.integers(0, 3)),
        st.tuples(
            st.just("full"),
            st.tuples(st.sampled_from([("P1",), IDS]), st.sampled_from("EI"), st.sampled_from([None, "web", "app"])),
        ),
    ),
    min_size=2,
    max_size=6,
)
WRITTEN_OUT = [
    ("delta", [_product("delete", "P1", None, None, NOON), _product("upsert", "P2", "Cotton socks", None, LATER)]),
    ("delta", [_judgement("upsert", "P2", 3, "E", None), _judgement("delete", "P3", 1, None, NOON)]),
    ("full", (IDS, "I", "web")),
    (
        "delta",
        [_product("upsert", "P1", "<b>Wool</b> socks", "Nike", EARLIER), _product("delete", "P3", None, None, None)],
    ),
    ("again", 0),
    ("full", (("P1",), "I", "app")),
    ("renamed", 0),
]
SHORT = [WRITTEN_OUT[0], WRITTEN_OUT[2], ("again", 0)]


class Encoder:
    """Make of each text numbers that its hash decides."""

    def encode(self, texts, _on_progress=None):
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) for text in texts]
        rows = np.stack([np.random.default_rng(seed).standard_normal(384) for seed in seeds])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def unknown_shares(self, texts):
        return np.zeros(len(texts))


class Chain:
    """A home with a trained model, into which files come as a run brings them in; what follows from them is made at once."""

    def __init__(self, root, built, derive, started=None):
        self.derive = derive
        home = Home(root, WarehouseSettings(threads=1, batch_rows=3, validation_percent=40))
        if started:
            shutil.copytree(started, root, symlinks=True)
        else:
            root.mkdir()
            (root / "models").symlink_to(built.home / "models")
        self.home, self.run_context = home, RunContext(home, encoder=load_settings(built.home).encoder)
        self.model = ServingModel(self.run_context, built.report["model"])

    def bring_in(self, folder=None, deltas=()):
        lake, checkpoints_before = (
            self.home.lake,
            checkpoints.list_checkpoints(self.home.lake) if self.home.lake.exists else [],
        )
        if folder:
            files = input_files(folder, NOW)
            archive_files(self.home, files)
            ingest(lake, folder, files, is_replay=True)  # chains take away more than a run may
        checked = check_deltas(deltas, NOW)
        archive_files(self.home, checked)
        apply_deltas(lake, checked, is_replay=True)
        with lake.writing() as connection:
            ensure(connection)
        prune_archive(self.home)
        self.derive(lake)
        keys = None
        if checkpoints_before:
            with lake.reading() as connection:
                keys = offline_store.changed_keys(connection, "product", checkpoints_before[-1].snapshot)
            self.agrees_with_a_comparison(checkpoints_before[-1].snapshot)
        self.embed(keys)
        self.end()

    def agrees_with_a_comparison(self, before):
        """Hold what the change feed counts against a comparison of whole tables."""
        lake, changes = self.home.lake, table_diff.written(self.home.lake, before)
        then, now = self.by_key(before), self.by_key(lake.snapshot())
        for table in (*RAW_TABLES, *DERIVED_TABLES):
            old, new = then[table], now[table]
            changed = sum(old[key] != new[key] for key in old.keys() & new.keys())
            assert changes.get(table, (0, 0, 0)) == (len(new.keys() - old), changed, len(old.keys() - new)), table

    def by_key(self, snapshot):
        """Return the rows of every table by key, without their hashes."""
        with self.home.lake.reading(snapshot) as connection:
            return {
                table: {
                    key: row
                    for key, *row in connection.sql(
                        f"SELECT {CONTRACTS[table].key}, COLUMNS(name -> name <> 'input_hash') FROM {table}"
                    ).fetchall()
                }
                for table in (*RAW_TABLES, *DERIVED_TABLES)
            }

    def end(self):
        """End a run."""
        lake = self.home.lake
        point = checkpoints.create(lake, f"run {lake.snapshot()}", NOW)
        self.home.online.write(lake, point)
        with lake.reading(point) as connection:
            for entity in offline_store.ENTITIES:
                keys = offline_store.keys(connection, entity)
                expected = offline_store.decoded(connection, entity, keys)
                stored = self.home.online.rows(entity, point, keys["key"].to_list())
                assert dict(zip(keys["key"], stored, strict=True)) == expected
                assert self.home.online.count(entity, point) == keys.height

    def embed(self, keys=None, reembed_all=False):
        products = self.model.with_input_hash(datasets.products(self.home.lake, keys=keys))
        self.model.texts.fill(product_texts(products))
        return embed(self.model, products, keys, reembed_all=reembed_all)[0]

    def tables(self):
        """Return every row of every table, but for the snapshot that brought a delta in: batches share one."""
        content = {}
        with self.home.lake.reading() as connection:
            for table in (*RAW_TABLES, *DERIVED_TABLES):
                without = " EXCLUDE (snapshot)" if table == "raw.deltas" else ""
                content[table] = connection.sql(f"SELECT *{without} FROM {table} ORDER BY ALL").fetchall()
        return content

    def vectors(self):
        """Return every row of the vector table, the vectors to the bit."""
        if not self.home.vectors.version(self.model.vector_table):
            return {}
        rows = self.home.vectors.read(self.model.vector_table).to_pylist()
        return {row["key"]: row | {"vector": np.array(row["vector"], np.float32).tobytes()} for row in rows}


def _folder(path, ids, label, source):
    """Write a full snapshot: some products, four judgements of two queries, and where these come from unless it is not told."""
    path.mkdir()
    if source:
        sources = f"query_id,source\n1,{source}\n2,web\n"
        (path / "shopping_queries_dataset_sources.csv").write_text(sources, encoding="utf-8")
    products = [
        {
            "product_id": name,
            "product_title": f"{name} of {len(ids)}",
            "product_description": None,
            "product_bullet_point": None,
            "product_brand": "Puma",
            "product_color": None,
            "product_locale": "us",
        }
        for name in (*ids, ids[0], "P0")  # one twice: refused; P0 no delta takes out, as a catalog may not be emptied
    ]
    schema = dict.fromkeys(products[0], pl.String)
    pl.DataFrame(products, schema=schema).write_parquet(path / "shopping_queries_dataset_products.parquet")
    judged = pl.DataFrame([_judged(name, query, label) for name in ("P1", "P3") for query in (1, 2)])
    judged.write_parquet(path / "shopping_queries_dataset_examples.parquet")
    return path


@pytest.fixture(scope="module")
def started(built, derive, tmp_path_factory):
    """Return a home into which the first files came."""
    folder = tmp_path_factory.mktemp("started")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assets.services.text_vectors.open_encoder", lambda *_: Encoder())
        chain = Chain(folder / "home", built, derive)
        chain.bring_in(_folder(folder / "start", IDS, "E", None))
    return chain.home.root


@settings(max_examples=EXAMPLES or 1, phases=PHASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, ends=st.lists(st.booleans(), min_size=7, max_size=7))
@example(steps=SHORT, ends=[False] * 7)
@example(steps=[("delta", [_product("delete", each, None, None, None) for each in IDS])], ends=[True] * 7)
def test_one_by_one_in_batches_and_replayed_end_alike(built, derive, started, tmp_path_factory, steps, ends):
    assert_ends_alike(built, derive, started, tmp_path_factory.mktemp("chain"), steps, ends)


@pytest.mark.slow
def test_a_long_chain_ends_alike(built, derive, started, tmp_path):
    assert_ends_alike(built, derive, started, tmp_path, WRITTEN_OUT, [False] * 7)


def assert_ends_alike(built, derive, started, folder, steps, ends):
    """Bring steps in one by one, in batches and from the archive; `ends` says after which steps a batch ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assets.services.text_vectors.open_encoder", lambda *_: Encoder())
        one, batches = (Chain(folder / name, built, derive, started) for name in ("one", "batches"))
        replayed = Chain(folder / "replayed", built, derive)
        made, waiting = [], []
        for number, (kind, content) in enumerate(steps):
            if kind == "full":
                raw = _folder(folder / f"full{number}", *content)
                if waiting:
                    batches.bring_in(deltas=waiting)
                waiting = []
                one.bring_in(raw)
                batches.bring_in(raw)
                continue
            path = folder / f"{number}.jsonl"
            if kind == "delta":
                path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
            elif not made:
                continue
            elif kind == "again":
                path = made[content % len(made)]
            else:
                shutil.copy(made[content % len(made)], path)
            made.append(path)
            one.bring_in(deltas=[path])
            waiting.append(path)
            if ends[number]:
                batches.bring_in(deltas=waiting)
                waiting = []
        if waiting:
            batches.bring_in(deltas=waiting)
        assert one.tables() == batches.tables()
        assert one.vectors() == batches.vectors()

        for chain in (one, batches):
            replay(chain.home, replayed.home)
            derive(replayed.home.lake)
            replayed.embed()
            assert sync(chain.home.lake, replayed.home.lake) == {}
            assert replayed.vectors() == chain.vectors()
            assert (written := chain.embed(reembed_all=True)).upserted == written.deleted == 0
            shutil.rmtree(replayed.home.lake.root)
            if chain.vectors():
                shutil.rmtree(replayed.home.root / "vectors")
    shutil.rmtree(folder)
