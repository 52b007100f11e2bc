"""The parent: no process of the service outlives the one that started it."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """End this process at once when the one that started it ends, however that ends."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(0)

    threading.Thread(target=wait, name="parent", daemon=True).start()
