"""The watermarks of a run move once their rows are committed, and are written together when it ends."""

import pytest

from warehouse.lake import catalog, watermarks
from warehouse.lake.incremental import refresh
from warehouse.lake.watermarks import Progress, RunWatermarks, Watermark

FEATURES = "features.products"


def stored(lake):
    with lake.reading() as connection:
        return watermarks.read(connection)


def delete_a_product(lake):
    with lake.writing() as connection:
        connection.execute("DELETE FROM staging.products WHERE key = 'us:P2'")
    return lake.snapshot()


def test_they_count_at_once_and_are_written_at_the_end(built):
    before, changed = stored(built), delete_a_product(built)
    run_watermarks = RunWatermarks(built)
    with run_watermarks.writing() as connection:
        assert refresh(connection, FEATURES, built.settings, run_watermarks)[0].delete["key"].to_list() == ["us:P2"]
    assert run_watermarks.by_key[FEATURES].snapshot == changed
    with run_watermarks.writing() as connection:
        assert refresh(connection, FEATURES, built.settings, run_watermarks)[0].counts == {
            "inserted": 0,
            "updated": 0,
            "deleted": 0,
        }
    assert stored(built) == before
    run_watermarks.write()
    assert stored(built) == run_watermarks.by_key
    newest = built.snapshot()
    run_watermarks.write()
    assert built.snapshot() == newest


def test_what_was_not_committed_did_not_move(built):
    before = stored(built)
    delete_a_product(built)
    run_watermarks = RunWatermarks(built)

    def stopped_before_the_commit():
        with run_watermarks.writing() as connection:
            refresh(connection, FEATURES, built.settings, run_watermarks)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stopped_before_the_commit()
    with run_watermarks.writing():
        pass
    run_watermarks.write()
    assert run_watermarks.by_key == stored(built) == before


def test_those_of_a_killed_run_lag_behind_and_cost_no_more_than_another_look(built):
    delete_a_product(built)
    killed = RunWatermarks(built)
    with killed.writing() as connection:
        refresh(connection, FEATURES, built.settings, killed)
    newest, run_watermarks = built.snapshot(), RunWatermarks(built)
    with run_watermarks.writing() as connection:
        refresh(connection, FEATURES, built.settings, run_watermarks)
    assert built.snapshot() == newest
    run_watermarks.write()
    with built.reading() as connection:
        assert Progress.read(connection).is_current(FEATURES, ["staging.products"], stored(built)[FEATURES].made_by)


def test_new_and_known_keys_are_written_together(built):
    existing_key = next(iter(stored(built)))
    with built.writing() as connection:
        watermarks.write(connection, {existing_key: Watermark(7, "other"), "new check": Watermark(8, "x")})
    after = stored(built)
    assert (after[existing_key], after["new check"]) == (Watermark(7, "other"), Watermark(8, "x"))
    with built.reading() as connection:
        rows = connection.execute("SELECT count(*), count(DISTINCT key) FROM registry.watermarks").fetchone()
        assert rows == (len(after), len(after))
        assert catalog.last_changes(connection)["registry.watermarks"] == built.snapshot()
