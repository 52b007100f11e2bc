import threading
from collections.abc import Iterator

import pytest

from warehouse.transform.prefetch import ahead


def test_items_come_in_order() -> None:
    assert list(ahead(range(5))) == [0, 1, 2, 3, 4]
    assert list(ahead([])) == []


def test_the_next_item_is_computed_while_the_last_one_is_processed() -> None:
    requested, made = [threading.Event() for _ in range(3)], []

    def items() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            requested[number].set()
            yield number

    coming = ahead(items())
    assert next(coming) == 0
    assert requested[1].wait(10)
    assert made == [0, 1]
    assert list(coming) == [1, 2]


def test_an_error_comes_where_its_item_was_asked_for() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("the second is bad")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(ValueError, match="the second is bad"):
        next(coming)


def test_nothing_is_left_running_when_the_consumer_stops() -> None:
    before = threading.active_count()
    coming = ahead(iter(range(100)))
    assert next(coming) == 0
    coming.close()
    assert threading.active_count() == before
