"""Kept versions: what was opened of the last few versions of a table, made once and shared by threads."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class KeptVersions(Generic[K, V]):
    """Keep one value a key, at most `most` of them: the one that was made first goes first."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, threading.Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value of a key; None if it is not kept."""
        return self._values.get(key)

    def of(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of a key, made now if it is not kept; other threads wait."""
        value = self._values.get(key)
        if value is None:
            with self._lock:
                value = self._values.get(key)
                if value is None:
                    value = self._values[key] = make()
                    if len(self._values) > self._most:
                        self._values.popitem(last=False)
        return value

    def forget(self, is_gone: Callable[[K], bool] = lambda _key: True) -> None:
        """Drop the values of the keys for which `is_gone` holds, by default all."""
        with self._lock:
            for key in [key for key in self._values if is_gone(key)]:
                del self._values[key]
