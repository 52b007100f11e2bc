"""A small home with a real encoder, built once for all test processes; tests that change it use a copy."""

import gc
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# In the background of a script Ctrl-C is ignored, and Dagster gives SIGTERM whatever Ctrl-C has: tests' children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Two test processes share two cores. Libraries read this when they are first used; processes that tests start inherit it.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
os.environ.update(THREADS | os.environ)

# Dagster and torch make so many objects that collections at Python's rate take a quarter of the time.
gc.set_threshold(200_000, 10, 100)

OUTER_FIRST = ("orchestration", "assets", "warehouse", "models")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the outer layers, whose modules take longest: what is left is short, and both processes end together."""
    own = Path(__file__).parent
    layers = {own / name: place for place, name in enumerate(OUTER_FIRST, start=1)}
    items.sort(key=lambda item: max((layers.get(parent, 0) for parent in item.path.parents), default=0))


# How long an example takes is the machine's business: timings are for benchmarks.
settings.register_profile("stockroom", deadline=None)
settings.load_profile("stockroom")

# Many small strengths, so that validation finds one that is better than none: else the towers would stay the identity.
SETTINGS = """
[warehouse]
threads = 1
validation_percent = 40

[encoder]
precision = "f32"

[training]
epochs = 2
min_queries = 1
batch_pairs = 16
catalog_negatives = 64
seed = 3
alphas = [-0.4, -0.2, -0.1, -0.05, -0.02, 0.02, 0.05, 0.1, 0.2, 0.4]

[release]
min_queries = 1
"""


@dataclass(frozen=True)
class Built:
    """A home, the ESCI folder that it was built from, and what the build reported."""

    home: Path
    raw: Path
    report: dict[str, Any]


OF_READERS = shutil.ignore_patterns("*-shm", "*-wal")
"""Files that come and go while other tests read the built home's SQLite databases."""

OPEN_INSTANCE = "orchestration.commands.build.open_instance"


@pytest.fixture(scope="module", autouse=True)
def _events_in_memory(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep Dagster's events of builds and applies in memory, except in modules with `STORES_EVENTS = True`.

    Dagster's files take one to two seconds of each run.
    """
    layer = request.path.relative_to(Path(__file__).parent).parts[0]
    if layer in ("warehouse", "models") or getattr(request.module, "STORES_EVENTS", False):
        yield
        return
    import dagster as dg

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OPEN_INSTANCE, lambda _home: dg.DagsterInstance.ephemeral())
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return a small home with real encoder and towers. It must not be changed: tests in other processes read it too."""
    from warehouse.file_lock import exclusive_lock
    from warehouse.sample import write_esci

    own = tmp_path_factory.getbasetemp()
    root = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "built"
    report = root / "report.json"
    with exclusive_lock(root / "lock", timeout_s=300), pytest.MonkeyPatch.context() as patch:
        if not report.exists():
            from orchestration.commands.build import build
            from orchestration.config.open_context import open_run_context
            from orchestration.config.settings import load_settings
            from orchestration.instance.dagster_instance import open_instance

            patch.setattr(OPEN_INSTANCE, open_instance)  # tests of the UI look at this run
            patch.setenv("DAGSTER_HOME", "")
            write_esci(root / "esci", 200, seed=3)
            (root / "home").mkdir()
            (root / "home" / "stockroom.toml").write_text(SETTINGS, encoding="utf-8")
            done = build(open_run_context(load_settings(root / "home")), root / "esci")
            report.write_text(json.dumps(asdict(done)), encoding="utf-8")
    return Built(root / "home", root / "esci", json.loads(report.read_text(encoding="utf-8")))


def _every_table(connection: "DuckDBPyConnection", lake: str = "lake") -> set[str]:
    query = "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = ?"
    return {name for (name,) in connection.execute(query, [lake]).fetchall()}


@pytest.fixture(scope="session")
def lake_in_memory() -> "Callable[[], AbstractContextManager[DuckDBPyConnection]]":
    """Return a function that creates an in-memory database with an empty catalog named lake. Every table counts as filled."""
    from warehouse.lake.lake import connect

    @contextmanager
    def make() -> "Iterator[DuckDBPyConnection]":
        with pytest.MonkeyPatch.context() as patch, connect(memory_gb=1.0, threads=1) as connection:
            patch.setattr("warehouse.lake.catalog.ever_filled", _every_table)
            connection.execute("ATTACH ':memory:' AS lake; USE lake")
            yield connection

    return make


@pytest.fixture
def read_only() -> Iterator[Callable[[Path], None]]:
    """Return a function that makes a directory read-only until the end of the test.

    It changes the modes; for root, who ignores them, it mounts the directory read-only.
    """
    mounted: list[Path] = []
    closed: list[tuple[Path, int]] = []

    def make(directory: Path) -> None:
        if os.getuid():
            for path in (*directory.rglob("*"), directory):
                if not path.is_symlink():
                    closed.append((path, path.stat().st_mode))
                    path.chmod(path.stat().st_mode & 0o555)
            return
        if subprocess.run(["mount", "--bind", directory, directory], capture_output=True, check=False).returncode:
            pytest.skip("root may not mount here, and no mode of a file binds it")
        mounted.append(directory)
        subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)

    yield make
    for directory in mounted:
        subprocess.run(["umount", "--lazy", directory], check=True)
    for path, mode in reversed(closed):
        path.chmod(mode)


@pytest.fixture(scope="module")
def copy_home(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """Return a function that copies the built home; the copies are deleted at the end."""
    made: list[Path] = []

    def make() -> Path:
        made.append(tmp_path_factory.mktemp("copied") / "home")
        shutil.copytree(built.home, made[-1], copy_function=_copy_or_link, ignore=OF_READERS)
        return made[-1]

    yield make
    for home in made:
        shutil.rmtree(home, ignore_errors=True)


def _copy_or_link(source: str, target: str) -> None:
    """Copy a file, or link it if it has the encoder's weights, 90 MB that nothing changes."""
    (os.link if Path(source).name == "encoder.bin" else shutil.copy2)(source, target)


@pytest.fixture(scope="session")
def derive() -> "Callable[..., None]":
    """Return a function that refreshes the derived tables of a lake in build order, as the assets of a run do.

    `names` restricts it to some tables; `whole` compares all rows and ignores the watermarks.
    """
    from warehouse.features import feature_views, training_lookup, word_counts
    from warehouse.lake.dependencies import DERIVATIONS
    from warehouse.lake.incremental import refresh
    from warehouse.lake.lake import Lake
    from warehouse.search import search_rules
    from warehouse.transform.staging import refresh_products, refresh_queries

    def run(lake: Lake, names: Iterable[str] = tuple(DERIVATIONS), *, whole: bool = False) -> None:
        for table in names:
            if table == "staging.products":
                refresh_products(lake, whole=whole, allow_loss=True)
            elif table == "staging.queries":
                refresh_queries(lake, whole=whole)
            elif table == "staging.search_rules":
                search_rules.refresh(lake, whole=whole)
            elif table == "training.point_in_time":
                with lake.writing() as connection:
                    feature_views.register(connection, (), lake.settings)
                with lake.writing() as connection:
                    training_lookup.refresh_training(connection, lake.settings, whole=whole)
            else:
                if table == "features.pairs":
                    word_counts.refresh(lake)
                with lake.writing() as connection:
                    refresh(connection, table, lake.settings, whole=whole)

    return run
