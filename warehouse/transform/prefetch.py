"""Ahead: the next item of an iterator made in another thread while the last one is dealt with."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

T = TypeVar("T")
_END = object()


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield the items in order, at most one of them made before it is asked for.

    What making an item raises is raised where that item is asked for.
    """
    coming = iter(items)
    with ThreadPoolExecutor(1) as pool:
        item = pool.submit(next, coming, _END)
        while (result := item.result()) is not _END:
            item = pool.submit(next, coming, _END)
            yield cast(T, result)
