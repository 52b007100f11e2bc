"""What was opened of the last versions is made once, and the first goes first."""

import threading
import time

import pytest

from warehouse.vectors.kept_versions import KeptVersions


def test_the_one_that_was_made_first_goes_first() -> None:
    kept: KeptVersions[int, str] = KeptVersions(2)
    for key in (1, 2, 1, 3):
        assert kept.of(key, lambda: f"value {key}") == f"value {key}"  # noqa: B023 (called at once)
    assert (kept.get(1), kept.get(2), kept.get(3)) == (None, "value 2", "value 3")


def test_threads_share_one_value() -> None:
    kept: KeptVersions[int, object] = KeptVersions(2)
    made, seen = [], []

    def make() -> object:
        time.sleep(0.05)
        made.append(object())
        return made[-1]

    threads = [threading.Thread(target=lambda: seen.append(kept.of(1, make))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert seen == made * 5


def test_a_value_that_cannot_be_made_is_tried_again() -> None:
    kept: KeptVersions[int, int] = KeptVersions(1)
    with pytest.raises(ZeroDivisionError):
        kept.of(1, lambda: 1 // 0)
    assert kept.of(1, lambda: 1) == 1


def test_what_is_gone_is_forgotten() -> None:
    kept: KeptVersions[int, int] = KeptVersions(3)
    for key in (1, 2):
        kept.of(key, int)
    kept.forget(lambda key: key == 1)
    assert (kept.get(1), kept.get(2)) == (None, 0)
    kept.forget()
    assert kept.get(2) is None
