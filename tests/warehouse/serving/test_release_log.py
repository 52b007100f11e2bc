import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from warehouse.errors import WarehouseError
from warehouse.serving.release_log import SCHEMA, Release, Releases
from warehouse.vectors.lance_tables import LanceDirectory, merge
from warehouse.vectors.product_vectors import VectorStore, table_name
from warehouse.vectors.text_index import COLUMNS, TABLE, TextIndex

DIM = 8
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


@pytest.fixture
def releases(root: Path) -> Releases:
    return Releases(root)


def write(root: Path, product: str, model_id: str = "m1") -> int:
    """Add a product to a model's vectors and return the new version."""
    row = pl.DataFrame(
        {
            "key": [f"us:{product}"],
            "product_id": [product],
            "locale": ["us"],
            "title": [product],
            "vector": [[1.0] * DIM],
            "input_hash": ["h"],
        }
    )
    return VectorStore(root).apply(table_name(model_id), [row], [], DIM).version


def draft(version: int, **changes: Any) -> dict[str, Any]:
    model_id = changes.get("model_id", "m1")
    given = {
        "kind": "model",
        "model_id": "m1",
        "encoder_fingerprint": "enc",
        "vector_table": table_name(model_id),
        "vector_version": version,
        "snapshot": 5,
        "published_at": NOON,
    }
    return given | changes


def index(root: Path, product: str) -> int:
    """Add a product to the text index and return the new version."""
    row = dict.fromkeys(COLUMNS, product) | {"key": f"us:{product}", "locale": "us"}
    return TextIndex(root).apply([pl.DataFrame([row])], []).version


def tags(root: Path, table: str = "products_m1") -> dict[str, int]:
    opened = LanceDirectory(root).open(table)
    assert opened is not None
    return {tag: reference["version"] for tag, reference in opened.tags.list().items()}


def test_before_the_first_release_nothing_is_live(releases: Releases, root: Path) -> None:
    assert releases.live() is None
    assert releases.all() == []
    with pytest.raises(WarehouseError, match="release 1 does not exist"):
        releases.get(1)
    with pytest.raises(WarehouseError, match=f"no release in {root.parent}"):
        releases.require()
    assert not root.exists()


def test_publishing_tags_the_vectors_and_appends_the_row(releases: Releases, root: Path) -> None:
    version = write(root, "A")
    published = releases.publish(**draft(version, metrics='{"recall": 0.4}', note="first"))
    expected = Release(1, NOON, "model", "m1", "enc", "products_m1", version, 5, '{"recall": 0.4}', "first")
    assert published.is_new
    assert published.release == expected
    assert releases.live() == releases.get(1) == expected
    assert releases.all() == [expected]
    assert tags(root) == {f"release-1-v{version}": version}


def test_the_newest_release_is_live_whatever_its_time(releases: Releases, root: Path) -> None:
    releases.publish(**draft(write(root, "A")))
    releases.publish(**draft(write(root, "B"), kind="catalog", published_at=NOON - timedelta(days=9)))
    live = Releases(root).live()
    assert live is not None
    assert (live.release, live.kind) == (2, "catalog")
    assert [each.release for each in releases.all()] == [1, 2]


def test_what_is_live_already_is_not_published_again(releases: Releases, root: Path) -> None:
    version = write(root, "A")
    first = releases.publish(**draft(version)).release
    again = releases.publish(**draft(version, kind="catalog", published_at=NOON + timedelta(1), note="again"))
    assert (again.release, again.is_new) == (first, False)
    assert releases.all() == [first]
    assert releases.publish(**draft(version, snapshot=6)).is_new
    assert releases.publish(**draft(write(root, "A", "m2"), model_id="m2", snapshot=6)).is_new


def test_a_release_names_its_ranker_and_pins_its_text_index(releases: Releases, root: Path) -> None:
    version, texts = write(root, "A"), index(root, "A")
    without = releases.publish(**draft(version)).release
    assert (without.ranker_id, without.text_version) == ("", 0)
    first = releases.publish(**draft(version, ranker_id="r1", text_version=texts)).release
    assert not first.serves_as(without)
    assert not releases.publish(**draft(version, ranker_id="r1", text_version=texts)).is_new
    newer = index(root, "B")
    second = releases.publish(**draft(version, ranker_id="r1", text_version=newer)).release
    third = releases.publish(**draft(version, ranker_id="r2", text_version=newer)).release
    assert [each.release for each in (without, first, second, third)] == [1, 2, 3, 4]
    assert Releases(root).all() == [without, first, second, third]
    assert tags(root, TABLE) == {
        f"release-2-v{texts}": texts,
        f"release-3-v{newer}": newer,
        f"release-4-v{newer}": newer,
    }
    # The words of one snapshot are the same in every version of the index; another ranker shows another order.
    assert first.shows == second.shows != third.shows
    back = releases.roll_back(2, published_at=NOON).release
    assert (back.ranker_id, back.text_version) == ("r1", texts)


def test_a_text_index_that_is_not_there_is_not_published(releases: Releases, root: Path) -> None:
    version = write(root, "A")
    with pytest.raises(WarehouseError, match="the text index does not exist"):
        releases.publish(**draft(version, text_version=1))
    index(root, "A")
    with pytest.raises(WarehouseError, match="no version 99"):
        releases.publish(**draft(version, text_version=99))
    assert releases.live() is None


def test_releases_of_an_earlier_version_have_no_ranker(releases: Releases, root: Path) -> None:
    version = write(root, "A")
    earlier = Release(1, NOON, "model", "m1", "enc", "products_m1", version, 5, "{}", "")
    columns = SCHEMA.names[: SCHEMA.names.index("ranker_id")]
    row = {name: value for name, value in asdict(earlier).items() if name in columns}
    schema = pa.schema([SCHEMA.field(name) for name in columns])
    merge(LanceDirectory(root).create("releases", schema), pa.Table.from_pylist([row], schema=schema), on="release")
    assert releases.live() == earlier
    texts = index(root, "A")
    later = releases.publish(**draft(version, ranker_id="r1", text_version=texts)).release
    assert (later.release, later.ranker_id, later.text_version) == (2, "r1", texts)
    assert Releases(root).all() == releases.all() == [earlier, later]


def test_times_are_kept_in_utc(releases: Releases, root: Path) -> None:
    tokyo = datetime(2024, 5, 1, 21, tzinfo=timezone(timedelta(hours=9)))
    assert releases.publish(**draft(write(root, "A"), published_at=tokyo)).release.published_at == NOON
    live = releases.live()
    assert live is not None
    assert live.published_at.tzinfo == UTC


def test_rolling_back_appends_a_release_with_the_old_content(releases: Releases, root: Path) -> None:
    old, new = write(root, "A"), write(root, "B")
    releases.publish(**draft(old))
    releases.publish(**draft(new))
    back = releases.roll_back(1, published_at=NOON + timedelta(hours=1)).release
    assert (back.release, back.kind, back.vector_version, back.note) == (3, "rollback", old, "back to release 1")
    assert releases.live() == back
    assert back.serves_as(releases.get(1))
    assert not releases.roll_back(1, published_at=NOON + timedelta(hours=2)).is_new
    assert len(releases.all()) == 3


def test_a_run_killed_between_tag_and_row_changed_nothing_and_can_be_repeated(releases: Releases, root: Path) -> None:
    first = releases.publish(**draft(write(root, "A"))).release
    killed = replace(first, release=2, vector_version=write(root, "B"))
    releases.pin(killed)
    assert releases.live() == first

    retried = releases.publish(**draft(killed.vector_version)).release
    assert (retried.release, retried.vector_version) == (2, killed.vector_version)
    assert tags(root)[retried.tag] == killed.vector_version


def test_an_orphan_tag_does_not_stop_a_retry_with_newer_vectors(releases: Releases, root: Path) -> None:
    first = releases.publish(**draft(write(root, "A"))).release
    releases.pin(replace(first, release=2, vector_version=write(root, "B")))
    newer = write(root, "C")
    assert releases.publish(**draft(newer)).release.vector_version == newer
    live = releases.live()
    assert live is not None
    assert tags(root)[live.tag] == newer


def test_of_two_writers_with_the_same_number_one_wins(releases: Releases, root: Path) -> None:
    first = releases.publish(**draft(write(root, "A"))).release
    loser = replace(first, release=2, vector_version=write(root, "B"))
    winner = replace(first, release=2, vector_version=write(root, "C"))
    releases.pin(loser)
    releases.pin(winner)
    Releases(root).append(winner)
    with pytest.raises(WarehouseError, match="another run published release 2"):
        releases.append(loser)
    assert releases.all() == [first, winner]
    assert tags(root)[winner.tag] == winner.vector_version


def test_vectors_that_are_not_there_are_not_published(releases: Releases, root: Path) -> None:
    with pytest.raises(WarehouseError, match="the vector table products_m1 does not exist"):
        releases.publish(**draft(1))
    write(root, "A")
    with pytest.raises(WarehouseError, match="no version 99"):
        releases.publish(**draft(99))
    assert releases.live() is None


def test_a_reader_follows_a_writer(releases: Releases, root: Path) -> None:
    reader, stamps = Releases(root), [Releases(root).stamp()]
    for number in (1, 2, 3):
        releases.publish(**draft(write(root, f"P{number}")))
        live = reader.live()
        assert live is not None
        assert live.release == number
        assert VectorStore(root).count(live.vector_table, live.vector_version) == number
        assert reader.stamp() == reader.stamp() != stamps[-1]
        stamps.append(reader.stamp())
    assert stamps[0] == 0


def test_a_copied_directory_answers_alike_without_the_old_one(releases: Releases, root: Path, tmp_path: Path) -> None:
    releases.publish(**draft(write(root, "A")))
    live = releases.publish(**draft(write(root, "B"))).release
    shutil.copytree(root, tmp_path / "elsewhere")
    shutil.rmtree(root)
    copy = Releases(tmp_path / "elsewhere")
    assert copy.live() == live
    hits = VectorStore(tmp_path / "elsewhere").search("products_m1", live.vector_version, np.ones(DIM, np.float32), 5)
    assert hits["product_id"].to_list() == ["A", "B"]
    assert copy.roll_back(1, published_at=NOON).release.release == 3
    assert not root.exists()


def test_rows_are_known_by_the_version_that_they_came_with(releases: Releases, root: Path) -> None:
    first = write(root, "A")
    releases.publish(**draft(first))
    joined = write(root, "B")  # as if only files had been joined
    releases.publish(**draft(joined, metrics=f'{{"vectors_since": {first}}}'))
    assert [releases.vectors_since("products_m1", version) for version in (first, joined, 99)] == [first, first, 99]
    assert releases.vectors_since("products_m2", joined) == joined
