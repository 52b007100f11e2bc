"""The target of a rollback, and the models that it demotes, for literal histories of releases."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from warehouse.errors import WarehouseError
from warehouse.features import datasets
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.lake.lake import Lake
from warehouse.operations.rollback import demoted_by, hold_reason, origin, roll_back, target, unservable_reason
from warehouse.serving.release_log import Release

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def history(*served: str) -> list[Release]:
    """Return releases, oldest first; `A1` is model A with vectors version 1, `<1` a rollback to release 1."""
    releases: list[Release] = []
    for number, each in enumerate(served, start=1):
        moment = NOON + timedelta(hours=number)
        if each.startswith("<"):
            back = releases[int(each[1:]) - 1]
            kind, model_id, version = "rollback", back.model_id, back.vector_version
        else:
            kind, model_id, version = "model", each[0], int(each[1:])
        releases.append(
            Release(number, moment, kind, model_id, "enc", f"products_{model_id}", version, version, "{}", "")  # type: ignore[arg-type]
        )
    return releases


@pytest.mark.parametrize(
    ("served", "to", "expected"),
    [
        (("A1", "A2"), None, 1),
        (("A1", "A2", "A3"), None, 2),
        (("A1", "A2", "A3", "<2"), None, 1),  # once more: one further back, not forward again
        (("A1", "A2", "<1", "A4"), None, 1),  # what served before was release 3, which was 1
        (("A1", "A2", "A3"), 1, 1),
        (("A1", "A2", "<1"), 2, 2),  # forward again
        (("A1", "A2", "<1", "A4"), 3, 1),
        (("A1", "A2", "<1", "A4", "<1"), 4, 4),
    ],
)
def test_the_way_back(served: tuple[str, ...], to: int | None, expected: int) -> None:
    assert target(history(*served), to).release == expected


@pytest.mark.parametrize(
    ("served", "to", "message"),
    [
        ((), None, "there is no release"),
        (("A1",), None, "no other release was live before release 1"),
        (("A1", "A2", "<1"), None, "no other release was live before release 1"),
        (("A1", "A2"), 2, "searches use release 2 already"),
        (("A1", "A2", "<1"), 1, "searches use release 1 already"),
        (("A1", "A2"), 3, "release 3 does not exist"),
        (("A1", "A2"), 0, "release 0 does not exist"),
    ],
)
def test_where_no_way_leads(served: tuple[str, ...], to: int | None, message: str) -> None:
    with pytest.raises(WarehouseError, match=message):
        target(history(*served), to)


def test_the_origin_of_a_rollback_is_the_restored_release() -> None:
    releases = history("A1", "A2", "<1", "A4", "<3")
    assert [origin(releases, each).release for each in releases] == [1, 2, 1, 4, 1]


@pytest.mark.parametrize(
    ("served", "model_id", "expected"),
    [
        (("A1", "B1"), "B", None),
        (("A1", "B1", "<1"), "B", 3),
        (("A1", "B1", "<1"), "A", None),
        (("A1", "B1", "<1", "A2", "C1"), "B", 3),  # whatever came after
        (("A1", "B1", "<1", "<2"), "B", None),  # it came back
        (("A1", "B1", "<1", "B2"), "B", None),  # by force
        (("A1", "B1", "<1"), "C", None),  # never live
        (("A1", "B1", "C1"), "B", None),  # replaced, and not withdrawn
    ],
)
def test_a_model_that_a_rollback_replaced_is_demoted(
    served: tuple[str, ...], model_id: str, expected: int | None
) -> None:
    rollback = demoted_by(history(*served), model_id)
    assert (rollback and rollback.release) == expected


@pytest.fixture
def home(built: Lake) -> Home:
    """Return a home with a built lake and the folder of the model A."""
    home = Home(built.root.parent, built.settings)
    (home.models / "A").mkdir(parents=True)
    return home


@pytest.fixture
def publish(home: Home) -> Callable[[str], Release]:
    """Return a function that ends a run: it creates a checkpoint and publishes a model with its own vectors."""

    def run(model_id: str) -> Release:
        count = len(home.releases.all())
        row: dict[str, Any] = {"key": [f"us:{count}"], "product_id": [str(count)], "locale": ["us"], "title": ["t"]}
        vectors = pl.DataFrame(row | {"vector": [[1.0, 0.0]], "input_hash": ["h"]})
        moment = NOON + timedelta(hours=count)
        snapshot = checkpoints.create(home.lake, f"run{count}", moment)
        home.online.write(home.lake, snapshot)
        published = home.releases.publish(
            kind="model",
            model_id=model_id,
            encoder_fingerprint="enc",
            vector_table=f"products_{model_id}",
            vector_version=home.vectors.apply(f"products_{model_id}", [vectors], [], 2).version,
            snapshot=snapshot,
            published_at=moment,
        )
        return published.release

    return run


def change(home: Home, sql: str) -> int:
    """Change the lake and end a run without a release."""
    with home.lake.writing() as connection:
        connection.execute(sql)
    return checkpoints.create(home.lake, sql, NOON + timedelta(days=1, seconds=home.lake.snapshot()))


RETITLE = "UPDATE staging.products SET title = 'Other', input_hash = 'other' WHERE key = 'us:P2'"
HINT = "UPDATE staging.products SET title = 'Mended', input_hash = 'mended' WHERE key = 'us:P2'"
MEASURE = "CREATE SCHEMA monitoring; CREATE TABLE monitoring.versions AS SELECT 'k' AS key, 'h' AS input_hash"


def test_a_rollback_of_the_catalog_stays_until_the_catalog_changes(home: Home, publish: Any) -> None:
    publish("A")
    change(home, RETITLE)
    assert hold_reason(home, "A") is None
    publish("A")
    back = roll_back(home, target(home.releases.all()), NOON + timedelta(hours=9)).release
    for model_id in ("A", "B"):  # the old model, and one that would be made of that very catalog
        reason = hold_reason(home, model_id)
        assert reason is not None
        assert reason.startswith(
            f"release {back.release} stays live: it is a rollback from release 2 (back to release 1)"
        )
    change(home, MEASURE)
    assert hold_reason(home, "A") is not None  # no searcher sees that
    change(home, HINT)
    assert (hold_reason(home, "A"), hold_reason(home, "B")) == (None, None)


def test_a_rollback_of_the_model_lets_another_one_in_at_once(home: Home, publish: Any) -> None:
    publish("A")
    publish("B")
    roll_back(home, target(home.releases.all()), NOON + timedelta(hours=9))
    assert hold_reason(home, "A") is not None
    assert hold_reason(home, "C") is None


def test_a_rollback_is_never_older_than_what_it_goes_back_from(home: Home, publish: Any) -> None:
    publish("A")
    change(home, RETITLE)
    last = publish("A")
    back = roll_back(
        home, target(home.releases.all()), NOON - timedelta(days=30)
    ).release  # by a clock that was set back
    assert back.published_at >= max(
        last.published_at, *(point.ended_at for point in checkpoints.list_checkpoints(home.lake))
    )
    assert hold_reason(home, "A") is not None


def test_a_rollback_restores_looked_up_features_without_their_file(home: Home, publish: Any) -> None:
    first = publish("A")
    change(home, RETITLE)
    second = publish("A")
    home.online.path.unlink()
    fresh = Home(home.root)
    fresh.online.write(fresh.lake, second.snapshot)  # as a build would
    assert not fresh.online.holds("product", first.snapshot)
    roll_back(fresh, target(fresh.releases.all()), NOON + timedelta(hours=9))
    for release, title in ((first, "Plain Mug"), (second, "Other")):
        (row,) = Home(home.root).online.rows("product", release.snapshot, ["us:P2"])
        assert row is not None
        assert row["title"] == title


def test_what_is_gone_of_a_release_is_named(home: Home, publish: Any) -> None:
    release = publish("A")
    assert unservable_reason(home, release) is None
    assert (
        unservable_reason(home, replace(release, vector_version=99)) == "version 99 of its vectors products_A is gone"
    )
    assert (
        unservable_reason(home, replace(release, vector_table="products_Z"))
        == "version 2 of its vectors products_Z is gone"
    )
    assert unservable_reason(home, replace(release, snapshot=9999)) == "the lake's snapshot 9999 is gone"
    assert unservable_reason(home, replace(release, model_id="Z")) == "its model Z is gone"
    texts = home.texts.apply([datasets.texts(home.lake)], []).version
    (home.rankers / "r1").mkdir(parents=True)
    ranked = replace(release, text_version=texts, ranker_id="r1")
    assert unservable_reason(home, ranked) is None
    assert unservable_reason(home, replace(ranked, text_version=99)) == "version 99 of its text index is gone"
    assert unservable_reason(home, replace(ranked, ranker_id="r2")) == "its ranker r2 is gone"
