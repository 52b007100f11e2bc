"""Paths with any valid name work in every library, and nothing is written elsewhere; other names are refused."""

import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from warehouse.contracts.time_series import FeatureView, FeatureViewColumn
from warehouse.errors import WarehouseError
from warehouse.ingest.delta_files import check_deltas
from warehouse.ingest.feature_view_check import check_file
from warehouse.ingest.sources import check_folder, required_files
from warehouse.lake.lake import Lake, connect
from warehouse.operations.judgement_file import read_examples
from warehouse.paths import check_home, check_text, expanded, plain_path, private_folder, require_writable
from warehouse.sample import write_esci
from warehouse.vectors.lance_tables import LanceDirectory, key_field, merge

NAMES = (
    "höme",
    "two words",
    "a%b",
    "a%20b",
    "a?mode=ro",
    "a#b",
    "it's",
    'say "so"',
    "a[1]",
    "[!a]*",
    "{a,b}",
    "a&b;c$d`e",
    "back\\slash",
    "two\nlines",
    "🙂",
    "~user",
    " space first",
    "s3:",
    "x" * 240,
)
PATTERNS = ("a[1]", "a*", "a?", "[a-z]1")
"""Names of which each is a DuckDB glob pattern that also matches `a1`."""


@pytest.fixture(params=NAMES, ids=ascii)
def odd(request, tmp_path) -> Path:
    return tmp_path / request.param


def test_a_lake_lies_in_a_directory_of_any_name_and_nothing_beside_it(odd):
    for statement in ("CREATE TABLE t AS FROM range(9) AS r(i)", "DELETE FROM t WHERE i = 4"):
        with Lake(odd / "lake").writing() as connection:
            connection.execute(statement)
    lake = Lake(odd / "lake")
    for snapshot, rows in ((None, 8), (1, 9)):
        with lake.reading(snapshot) as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchall() == [(rows,)]
    assert lake.snapshot() == 2
    assert os.listdir(odd.parent) == [odd.name]
    assert sorted(os.listdir(odd / "lake"))[-3:] == ["catalog.sqlite", "data", "write.lock"]


def test_lance_tables_and_their_tags_lie_in_a_directory_of_any_name_and_nothing_beside_it(odd):
    schema = pa.schema([key_field("key", pa.string())])
    table = LanceDirectory(odd / "vectors").create("t", schema)
    merge(table, pa.table([["a", "b"]], schema=schema))
    table.tags.create("live", table.version)
    assert LanceDirectory(odd / "vectors").open("t").tags.list().keys() == {"live"}
    assert LanceDirectory(odd / "vectors").names("") == ["t"]
    assert os.listdir(odd.parent) == [odd.name]
    assert "_refs" in os.listdir(odd / "vectors" / "t.lance")


def test_a_delta_file_may_have_any_name(odd):
    path = odd.with_name(f"{odd.name}.jsonl")
    path.write_text(json.dumps(_delta("N1")), encoding="utf-8")
    (delta,) = check_deltas([path])
    assert delta.path == path
    assert _keys_of(delta) == ["N1"]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_file_is_read_and_not_those_that_its_name_would_be_a_pattern_for(tmp_path, name):
    for each, key in ((name, "right"), ("a1", "wrong")):
        (tmp_path / each).mkdir()
        (tmp_path / each / f"{each}.jsonl").write_text(json.dumps(_delta(key)), encoding="utf-8")
        pl.DataFrame([_delta(key)]).write_parquet(tmp_path / each / f"{each}.parquet")
    deltas = [*check_deltas([tmp_path / name / f"{name}.jsonl", tmp_path / name / f"{name}.parquet"])]
    assert [_keys_of(delta) for delta in deltas] == [["right"], ["right"]]


def test_a_broken_file_is_refused_under_its_own_name(tmp_path):
    path = tmp_path / "bro[ken].parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(WarehouseError) as refused:
        check_deltas([path])
    assert str(path) in refused.value.message
    assert "link-" not in refused.value.message


@pytest.mark.parametrize("name", PATTERNS)
def test_a_raw_folder_an_examples_file_and_a_time_series_file_are_read_and_not_what_their_names_match(tmp_path, name):
    write_esci(tmp_path / name, 30, seed=1)
    (tmp_path / "a1").mkdir()
    for file in required_files():
        (tmp_path / "a1" / file).write_bytes(b"no parquet")
    assert len(check_folder(tmp_path / name)) == 3
    examples = tmp_path / name / "shopping_queries_dataset_examples.parquet"
    assert read_examples(examples, pl.Series(["us:none"])).missing
    price = FeatureViewColumn(name="price", meaning="price in USD")
    table = FeatureView(name="prices", file="-", entity="product", ttl_days=30, columns=(price,))
    feature_views = tmp_path / f"{name}.parquet"
    rows = pl.DataFrame({"product_key": ["us:1"], "event_time": [datetime(2022, 1, 1)], "price": [1.5]})  # noqa: DTZ001
    rows.write_parquet(feature_views)
    (tmp_path / "a1.parquet").write_bytes(b"no parquet")
    with connect(1.0) as connection:
        assert check_file(connection, feature_views, table, datetime.now(UTC))["price"] == "DOUBLE"


def test_a_plain_path_stays_as_it_is(tmp_path):
    assert plain_path(tmp_path / "a_b-c.d") == tmp_path / "a_b-c.d"


def test_an_odd_path_has_one_link_that_keeps_its_ending_and_leads_to_it(tmp_path):
    link = plain_path(tmp_path / "ö.jsonl.gz")
    assert re.fullmatch(r"[A-Za-z0-9_./-]+", str(link))
    assert link.name.endswith(".jsonl.gz")
    assert link == plain_path(tmp_path / "ö.jsonl.gz") != plain_path(tmp_path / "ä.jsonl.gz")
    link.write_text("here")
    assert (tmp_path / "ö.jsonl.gz").read_text() == "here"


def test_bytes_that_are_no_utf_8_are_reached_too(tmp_path):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xffb"))
    odd.mkdir()
    assert plain_path(odd).samefile(odd)


def test_the_links_go_with_the_process_that_made_them(tmp_path):
    code = "import sys; from pathlib import Path; from warehouse.paths import plain_path; print(plain_path(Path(sys.argv[1])))"
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "ö"], check=True, capture_output=True, text=True)
    link = Path(ran.stdout.strip())
    assert link.parent.name.startswith("stockroom-")
    assert not link.parent.exists()


def test_links_lie_elsewhere_where_the_temporary_directory_has_an_odd_name_itself(tmp_path, monkeypatch):
    (tmp_path / "tömp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tömp"))
    folder = private_folder.__wrapped__()
    assert re.fullmatch(r"[A-Za-z0-9_./-]+", str(folder))
    folder.rmdir()


def test_only_a_tilde_alone_is_the_users_own_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded(Path("~/home")) == tmp_path / "home"
    assert expanded(Path("~")) == tmp_path
    assert expanded(Path("~x")) == Path("~x")
    assert expanded(Path("a/~")) == Path("a/~")


def test_a_home_may_be_new_relative_or_a_link_to_a_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    for home in ("new", "new/er", ".", "..", "link", "link/new"):
        check_home(Path(home))
    assert os.listdir(tmp_path) == ["link"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("file", "file is a file, and a home is a directory"),
        ("file/home", "file/home cannot be a home: .*file is not a directory"),
        ("file/home/below", "file is not a directory"),
        ("nowhere", "nowhere is a link to .*gone, which does not exist"),
        ("circle", "circle cannot be a home: Too many levels of symbolic links"),
        ("circle/home", "circle/home cannot be a home: "),
        ("x" * 256, "cannot be a home: File name too long"),
        ("/".join(["x" * 200] * 20), "longer than 3,800 bytes"),
        ("null\0", "cannot be a home: .*null"),
        (os.fsdecode(b"a\xffb"), r"a\\xffb is not UTF-8"),
    ],
    ids=ascii,
)
def test_what_can_be_no_home_is_refused_by_name(tmp_path, path, problem):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(WarehouseError, match=problem) as refused:
        check_home(tmp_path / path)
    assert refused.value.message.encode()


def test_a_delta_whose_name_is_no_text_is_refused(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.jsonl"))
    path.write_text(json.dumps(_delta("N1")), encoding="utf-8")
    with pytest.raises(WarehouseError, match=r"a\\xff\.jsonl is not UTF-8"):
        check_deltas([path])
    assert check_text("höme") == "höme"


def test_a_directory_that_may_not_be_written_is_named_and_none_is_made(tmp_path, read_only):
    read_only(tmp_path)
    with pytest.raises(WarehouseError, match=f"^{tmp_path} may not be written\n"):
        require_writable(tmp_path)
    with pytest.raises(
        WarehouseError, match=f"{tmp_path} may not be written, so that {tmp_path}/a/b cannot be created"
    ):
        require_writable(tmp_path / "a" / "b")
    with (
        pytest.raises(WarehouseError, match=f"{tmp_path} may not be written"),
        Lake(tmp_path / "home" / "lake").writing(),
    ):
        pytest.fail("it can be written")
    assert os.listdir(tmp_path) == []


def test_a_file_in_the_place_of_a_directory_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WarehouseError) as refused:
        require_writable(tmp_path / "file", "give another folder: --out DIR")
    assert (refused.value.message, refused.value.hint) == (
        f"{tmp_path}/file is not a folder",
        "give another folder: --out DIR",
    )
    with pytest.raises(WarehouseError, match=f"{tmp_path}/file is not a folder, so that {tmp_path}/file/a cannot be"):
        require_writable(tmp_path / "file" / "a")


def _delta(product_id: str) -> dict[str, str]:
    return {"op": "delete", "product_locale": "us", "product_id": product_id}


def _keys_of(delta) -> list[str]:
    with connect(1.0) as connection:
        read = {"path": str(plain_path(delta.path)), "version": delta.source_spec.contract.version}
        return [key for (key,) in connection.execute(f"SELECT product_id FROM ({delta.rows_sql})", read).fetchall()]
