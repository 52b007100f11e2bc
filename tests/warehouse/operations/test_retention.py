"""The releases, checkpoints and vectors that a vacuum keeps."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from warehouse.features import datasets
from warehouse.history import checkpoints
from warehouse.home import Home
from warehouse.lake.lake import Lake
from warehouse.operations.retention import Retained, retained
from warehouse.operations.rollback import roll_back
from warehouse.settings import VacuumSettings

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=30)


@pytest.fixture
def home(built: Lake) -> Home:
    return Home(built.root.parent, built.settings)


@pytest.fixture
def run(home: Home) -> Callable[[str], int]:
    """Return a function that ends a run an hour after the last: it creates a checkpoint, and a release if a model is named."""
    done = 0

    def end(model_id: str = "") -> int:
        nonlocal done
        done, moment = done + 1, NOON + timedelta(hours=done)
        with home.lake.writing() as connection:
            connection.execute(
                f"UPDATE staging.products SET title = 't{done}', input_hash = '{done}' WHERE key = 'us:P2'"
            )
        snapshot = checkpoints.create(home.lake, f"run{done}", moment)
        if model_id:
            row = {"key": [f"us:{done}"], "product_id": [str(done)], "locale": ["us"], "title": ["t"]}
            vectors = pl.DataFrame(row | {"vector": [[1.0, 0.0]], "input_hash": ["h"]})
            home.online.write(home.lake, snapshot)
            home.releases.publish(
                kind="model",
                model_id=model_id,
                encoder_fingerprint="enc",
                vector_table=f"products_{model_id}",
                vector_version=home.vectors.apply(f"products_{model_id}", [vectors], [], 2).version,
                snapshot=snapshot,
                published_at=moment,
            )
        return snapshot

    return end


def keep(
    home: Home, releases: int = 1, checkpoints: int = 1, hours: float = 0, made_from: tuple[int, ...] = ()
) -> Retained:
    settings = VacuumSettings(keep_releases=releases, keep_checkpoints=checkpoints, keep_hours=hours)
    return retained(home, settings, LATER, made_from)


def test_the_newest_releases_stay_with_their_vectors_and_checkpoints(home: Home, run: Callable[..., int]) -> None:
    first, second, third, fourth = run("A"), run("A"), run("B"), run()
    result = keep(home, releases=2)
    assert [release.release for release in result.releases] == [2, 3]
    assert result.vectors == {"products_A": {home.releases.get(2).vector_version}, "products_B": {2}}
    assert result.checkpoints == [second, third, fourth]
    assert first in result.expired
    existing_snapshots = checkpoints.snapshots(home.lake)
    assert result.expired == [
        each for each in existing_snapshots if each not in (second, third, fourth, home.lake.snapshot())
    ]
    assert keep(home, releases=9).checkpoints == [first, second, third, fourth]


def test_the_target_of_a_rollback_stays_at_any_age(home: Home, run: Callable[..., int]) -> None:
    first, _, third = run("A"), run("A"), run("A")
    roll_back(home, home.releases.get(1), NOON + timedelta(hours=9))
    result = keep(home)
    assert [release.release for release in result.releases] == [4]
    assert result.vectors == {"products_A": {home.releases.get(1).vector_version}}
    assert result.checkpoints == [first, third]  # the newest, by which it is told how long the rollback stays


def test_the_rankers_and_text_indexes_of_the_releases_stay(home: Home, run: Callable[..., int]) -> None:
    run("A")
    assert (keep(home).texts, keep(home).rankers) == ({0}, {""})
    every = datasets.texts(home.lake)
    texts = [home.texts.apply([rows], []).version for rows in (every.head(1), every)]
    live = home.releases.require()
    for ranker_id, version in (("r1", texts[0]), ("r2", texts[1]), ("r2", texts[0])):
        named = {"ranker_id": ranker_id, "text_version": version}
        copied = ("kind", "model_id", "encoder_fingerprint", "vector_table", "vector_version", "snapshot")
        home.releases.publish(**{name: getattr(live, name) for name in copied}, published_at=live.published_at, **named)
    one, two = keep(home), keep(home, releases=2)
    assert ([each.release for each in one.releases], one.texts, one.rankers) == ([4], {texts[0]}, {"r2"})
    # Releases 3 and 4 show the same: another version of the same words.
    assert ([each.release for each in two.releases], two.texts, two.rankers) == ([2, 4], {texts[0]}, {"r1", "r2"})


def test_releases_that_show_the_same_count_once(home: Home, run: Callable[..., int]) -> None:
    run("A")
    run("A")
    roll_back(home, home.releases.get(1), NOON + timedelta(hours=9))
    roll_back(home, home.releases.get(2), NOON + timedelta(hours=10))
    assert [release.release for release in keep(home, releases=2).releases] == [3, 4]


def test_the_checkpoint_of_a_model_stays(home: Home, run: Callable[..., int]) -> None:
    first, second, third, fourth = run("A"), run(), run(), run("A")
    assert keep(home).checkpoints == [fourth]
    # A model names the snapshot it began with, which lies before its run's checkpoint.
    assert keep(home, made_from=(second - 1,)).checkpoints == [second, fourth]
    assert keep(home, made_from=(first, third)).checkpoints == [first, third, fourth]


def test_what_is_young_stays(home: Home, run: Callable[..., int]) -> None:
    run("A")
    second, third = run("A"), run("A")
    hours = (LATER - NOON).total_seconds() / 3600 - 0.5  # half an hour after the first
    result = keep(home, hours=hours)
    assert [release.release for release in result.releases] == [2, 3]
    assert result.checkpoints == [second, third]


def test_the_writes_of_a_killed_run_after_the_newest_checkpoint_stay(home: Home, run: Callable[..., int]) -> None:
    checkpoint = run("A")
    with home.lake.writing() as connection:
        connection.execute("DELETE FROM staging.products WHERE key = 'us:P2'")
    assert home.lake.snapshot() not in keep(home).expired
    assert keep(home).checkpoints == [checkpoint]


def test_expired_snapshots_are_no_checkpoints_and_the_others_read_as_before(
    home: Home, run: Callable[..., int]
) -> None:
    runs = [run("A"), run("A"), run("A")]
    result = keep(home, releases=1, made_from=(runs[0],))
    assert runs[1] in result.expired

    def titles(snapshot: int) -> list[str]:
        with home.lake.reading(snapshot) as connection:
            return connection.sql("SELECT title FROM staging.products ORDER BY key").pl()["title"].to_list()

    def nothing(_key: str) -> tuple[str, ...]:
        return ()

    before = {checkpoint: titles(checkpoint) for checkpoint in result.checkpoints}
    newest = home.lake.snapshot()
    assert checkpoints.expire(home.lake, result.expired, nothing) > 0
    assert {checkpoint: titles(checkpoint) for checkpoint in result.checkpoints} == before
    assert (
        [checkpoint.snapshot for checkpoint in checkpoints.list_checkpoints(home.lake)]
        == [runs[0], runs[2]]
        == result.checkpoints
    )
    assert home.lake.snapshot() == newest  # nothing was written
    assert checkpoints.expire(home.lake, [], nothing) == 0
    assert "staging.products" in checkpoints.changed_tables(home.lake, runs[0])
