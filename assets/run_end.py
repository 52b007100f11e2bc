"""The end of a run: the writes that wait until the run has ended.

They are the advanced watermarks of tables and of passed checks, in one commit, and the checkpoint. The next run repeats
the writes that a killed run left out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from assets.run_context import RunContext


def at_end(run_context: RunContext, write: Callable[[], object]) -> None:
    """Register a write for the end of the run."""
    run_context.at_end.append(write)


@contextmanager
def written_down(run_context: RunContext) -> Iterator[None]:
    """Make the registered writes once the run has ended; write only the watermarks if it ends in an error."""
    run_context.at_end.clear()
    watermarks = run_context.read_watermarks()
    try:
        yield
    except Exception:
        with suppress(Exception):  # report the first error
            watermarks.write()
        raise
    for write in run_context.at_end:
        write()
    watermarks.write()
