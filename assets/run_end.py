"""The end of a run: what is written down only when it has ended.

Those are the watermarks that moved, of tables and of checks that passed, in one commit for all, and the as-of point. What a
killed run leaves out is done again by the next one.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from assets.run_context import RunContext


def at_end(run_context: RunContext, write: Callable[[], object]) -> None:
    """Have something written once the run has ended."""
    run_context.at_end.append(write)


@contextmanager
def written_down(run_context: RunContext) -> Iterator[None]:
    """Write down what was noted in a run once it has ended; only the watermarks if it ends in an error."""
    run_context.at_end.clear()
    marks = run_context.read_marks()
    try:
        yield
    except Exception:
        with suppress(Exception):  # the error to tell is the first one
            marks.write()
        raise
    for write in run_context.at_end:
        write()
    marks.write()
