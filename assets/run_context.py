"""The run context: the plain object that every asset is handed, whoever runs it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from models.evaluation.bm25 import Bm25Settings
from models.settings import EncoderSettings, TowerSettings, TrainingSettings
from models.training.hard_negative_mining import MiningSettings
from warehouse.home import Home
from warehouse.lake.watermarks import RunMarks
from warehouse.settings import MonitoringSettings, ReleaseSettings, VacuumSettings

T = TypeVar("T")
_MARKS = "watermarks"


def silent(_task: str, _total: int | None) -> Callable[[int], None]:
    """Show no progress."""
    return lambda _done: None


@dataclass(frozen=True)
class RunContext:
    """Hold the home and the settings of one run.

    `raw` is the ESCI folder to take in; without one a run goes on from what the lake holds. `deltas` are the delta files to
    bring in after it. `pinned_model` names a model to go on with: none is trained and no plot drawn (it is to take seconds).
    `anew` makes every vector of a held model again, whatever its inputs' hashes say, and keeps those that differ.
    `force` publishes a new model that the gate refuses. `allow_loss` lets more rows go out of the catalog than the setting
    warehouse.max_loss_share. `show_progress` is told of a long task and its size (None: unknown)
    and returns what is told how much of it is done. `shared` holds what steps of the run share: see `once`.
    `at_end` is what is to be written once the run has ended: see `assets.run_end`.
    """

    home: Home
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    tower: TowerSettings = field(default_factory=TowerSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    mining: MiningSettings = field(default_factory=MiningSettings)
    bm25: Bm25Settings = field(default_factory=Bm25Settings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)
    release: ReleaseSettings = field(default_factory=ReleaseSettings)
    vacuum: VacuumSettings = field(default_factory=VacuumSettings)
    raw: Path | None = None
    deltas: tuple[Path, ...] = ()
    pinned_model: str | None = None
    reembed_all: bool = False
    force: bool = False
    allow_loss: bool = False
    show_progress: Callable[[str, int | None], Callable[[int], None]] = silent
    shared: dict[tuple[Path, str], Future[Any]] = field(default_factory=dict, compare=False, repr=False)
    at_end: list[Callable[[], object]] = field(default_factory=list, compare=False, repr=False)

    @property
    def compares_whole(self) -> bool:
        """Tell whether tables are compared row by row whatever their watermarks say: a build that brings nothing in does.

        So it also mends what was changed by hand.
        """
        return self.raw is None and not self.deltas and self.pinned_model is None

    @property
    def marks(self) -> RunMarks:
        """Return the watermarks as this run sees them."""
        return self.cached(_MARKS, lambda: RunMarks(self.home.lake))

    def read_marks(self) -> RunMarks:
        """Return the watermarks as a run that begins now sees them."""
        self.shared.pop((self.home.root, _MARKS), None)
        return self.marks

    def progress(self, task: str, total: int | None = None) -> Callable[[int], None]:
        """Announce a long task; call what comes back with how much of it is done."""
        return self.show_progress(task, total)

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """Return what the run has of this name, made when it is first asked for.

        It must be what no step changes: an encoder, a model that is there, what the last build wrote down.
        """
        own = (self.home.root, name)
        if own not in self.shared:
            made: Future[T] = Future()
            made.set_result(make())
            self.shared[own] = made
        return cast(T, self.shared[own].result())

    def ahead(self, name: str, make: Callable[[], T]) -> None:
        """Begin to make what will be asked for `once`, in a thread; what goes wrong there is raised to who asks."""
        thread = ThreadPoolExecutor(1)
        self.shared[self.home.root, name] = thread.submit(make)
        thread.shutdown(wait=False)
