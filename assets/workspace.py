"""The workspace: the plain object that every asset is handed, whoever runs it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from models.bm25 import Bm25Settings
from models.encoder import Encoder
from models.mining import MiningSettings
from models.settings import EncoderSettings, TowerSettings, TrainingSettings
from warehouse.home import Home
from warehouse.settings import CleanSettings, MonitoringSettings, ReleaseSettings


def silent(_task: str, _total: int | None) -> Callable[[int], None]:
    """Show no progress."""
    return lambda _done: None


@dataclass(frozen=True)
class Workspace:
    """Hold the home and the settings of one run.

    `raw` is the ESCI folder to take in; without one a run goes on from what the lake holds. `deltas` are the delta files to
    bring in after it. `held_model` names a model to go on with: none is trained and no plot drawn (it is to take seconds).
    `anew` makes every vector of a held model again, whatever its inputs' hashes say, and keeps those that differ.
    `force` publishes a new model that the gate refuses. `show_progress` is told of a long task and its size (None: unknown)
    and returns what is told how much of it is done. `loaded_encoders` are those that steps of the run share, by fingerprint.
    """

    home: Home
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    tower: TowerSettings = field(default_factory=TowerSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    mining: MiningSettings = field(default_factory=MiningSettings)
    bm25: Bm25Settings = field(default_factory=Bm25Settings)
    monitoring: MonitoringSettings = field(default_factory=MonitoringSettings)
    release: ReleaseSettings = field(default_factory=ReleaseSettings)
    clean: CleanSettings = field(default_factory=CleanSettings)
    raw: Path | None = None
    deltas: tuple[Path, ...] = ()
    held_model: str | None = None
    anew: bool = False
    force: bool = False
    show_progress: Callable[[str, int | None], Callable[[int], None]] = silent
    loaded_encoders: dict[str, Encoder] = field(default_factory=dict, compare=False, repr=False)

    def progress(self, task: str, total: int | None = None) -> Callable[[int], None]:
        """Announce a long task; call what comes back with how much of it is done."""
        return self.show_progress(task, total)
