from collections.abc import Callable

import pytest

from warehouse.home import Home
from warehouse.lake import catalog, tables
from warehouse.lake.lake import Lake
from warehouse.operations.scratch_home import recomputed_home


@pytest.fixture
def home(built: Lake) -> Home:
    home = Home(built.root.parent, built.settings)
    return home


def test_it_starts_from_the_raw_tables_and_the_word_counts_of_the_snapshot_alone(
    home: Home, fingerprints: Callable[..., dict[str, str]]
) -> None:
    then, raw, fitted = home.lake.snapshot(), fingerprints(home.lake, "raw"), fingerprints(home.lake, "fitted")
    with home.lake.writing() as connection:
        connection.execute("DELETE FROM raw.products")
        connection.execute("DELETE FROM fitted.words")
    with recomputed_home(home, then) as recomputed, recomputed.lake.reading() as connection:
        assert {table.split(".")[0] for table in catalog.row_counts(connection)} == {"raw", "fitted"}
        assert fingerprints(recomputed.lake, "fitted") == {"fitted.words": fitted["fitted.words"]}
        prints = fingerprints(recomputed.lake, "raw")
        assert raw.items() <= prints.items()
        assert all(tables.count(connection, table) == 0 for table in prints.keys() - raw.keys())  # no delta came in yet


def test_embeddings_and_models_are_the_homes_and_the_scratch_goes(home: Home) -> None:
    before = sorted(path.name for path in home.root.iterdir())
    with recomputed_home(home, home.lake.snapshot()) as recomputed:
        assert recomputed.models == home.models
        assert recomputed.journal.path != home.journal.path
        assert recomputed.lake.root != home.lake.root
    assert sorted(path.name for path in home.root.iterdir()) == before


def test_what_a_killed_process_left_is_not_mixed_in(home: Home) -> None:
    (home.root / "recompute" / "lake").mkdir(parents=True)
    (home.root / "recompute" / "lake" / "catalog.sqlite").write_text("half")
    with recomputed_home(home, home.lake.snapshot()) as recomputed, recomputed.lake.reading() as connection:
        assert tables.count(connection, "raw.products") == 4
