"""The run context: the home, the settings and the shared values of one run, which every asset receives."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from models.evaluation.bm25 import Bm25Settings
from models.settings import EncoderSettings, RankingSettings, TowerSettings, TrainingSettings
from models.training.hard_negative_mining import MiningSettings
from warehouse.declaration.source import Sources
from warehouse.home import Home
from warehouse.lake.watermarks import RunWatermarks
from warehouse.settings import MonitoringSettings, ReleaseSettings, VacuumSettings

T = TypeVar("T")
_WATERMARKS = "watermarks"


def silent(_task: str, _total: int | None) -> Callable[[int], None]:
    """Show no progress."""
    return lambda _progress: None


@dataclass(frozen=True)
class RunContext:
    """Hold the home and the settings of one run.

    `raw` is the folder to ingest, and `sources` declare its files; without a declaration it is an ESCI folder. Without both a
    run starts from the lake's contents. `deltas` are the delta files to ingest after it. `pinned_model` names a model to use,
    with `pinned_ranker`: nothing is trained and no plot drawn, so that the run takes seconds.
    `reembed_all` computes every vector of a pinned model again, whatever its input hashes say, and writes those that differ.
    `compare_all` compares every table row by row, whatever its watermark says.
    `force` publishes a new model that the gate refuses. `allow_loss` lets more rows leave the catalog than the setting
    warehouse.max_loss_share. `show_progress` takes the name and size of a long task (None: unknown) and returns a function
    that takes the amount of finished work. `shared` holds the values that steps of the run share: see `cached`.
    `at_end` holds the writes to make once the run has ended: see `assets.run_end`. `seconds` holds the duration of each
    function of an apply, by the name of its tables.
    """

    home: Home
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    tower: TowerSettings = field(default_factory=TowerSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    mining: MiningSettings = field(default_factory=MiningSettings)
    bm25: Bm25Settings = field(default_factory=Bm25Settings)
    ranking: RankingSettings = field(default_factory=RankingSettings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)
    release: ReleaseSettings = field(default_factory=ReleaseSettings)
    vacuum: VacuumSettings = field(default_factory=VacuumSettings)
    raw: Path | None = None
    sources: Sources = ()
    deltas: tuple[Path, ...] = ()
    pinned_model: str | None = None
    pinned_ranker: str = ""
    reembed_all: bool = False
    force: bool = False
    allow_loss: bool = False
    compare_all: bool = False
    show_progress: Callable[[str, int | None], Callable[[int], None]] = silent
    shared: dict[tuple[Path, str], Future[Any]] = field(default_factory=dict, compare=False, repr=False)
    at_end: list[Callable[[], object]] = field(default_factory=list, compare=False, repr=False)
    seconds: dict[str, float] = field(default_factory=dict, compare=False, repr=False)

    @property
    def compares_whole(self) -> bool:
        """Tell whether tables are compared row by row whatever their watermarks say, as in a build that reads no files.

        Such a build also repairs manual changes.
        """
        reads_files = self.raw is not None or self.sources or self.deltas
        return self.compare_all or not (reads_files or self.pinned_model)

    @property
    def watermarks(self) -> RunWatermarks:
        """Return the watermarks of this run."""
        return self.cached(_WATERMARKS, lambda: RunWatermarks(self.home.lake))

    def read_watermarks(self) -> RunWatermarks:
        """Read the watermarks again, as a run that starts now."""
        self.shared.pop((self.home.root, _WATERMARKS), None)
        return self.watermarks

    def progress(self, task: str, total: int | None = None) -> Callable[[int], None]:
        """Announce a long task; return a function that takes the amount of finished work."""
        return self.show_progress(task, total)

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """Return the run's value of this name, made on first use.

        No step may change it: it is an encoder, an existing model, or a record of the last build.
        """
        key = (self.home.root, name)
        if key not in self.shared:
            value: Future[T] = Future()
            value.set_result(make())
            self.shared[key] = value
        return cast(T, self.shared[key].result())

    def cached_at_snapshot(self, name: str, make: Callable[[], T]) -> T:
        """Return the run's value of this name for the lake's newest snapshot, made on first use."""
        return self.cached(f"{name} at snapshot {self.home.lake.snapshot()}", make)

    def ahead(self, name: str, make: Callable[[], T]) -> None:
        """Start to make a value of `cached` in a thread; `cached` raises the error if that fails."""
        thread = ThreadPoolExecutor(1)
        self.shared[self.home.root, name] = thread.submit(make)
        thread.shutdown(wait=False)
