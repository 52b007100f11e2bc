"""A lock belongs to one process, and whoever waits is told to whom."""

import os
import re
from pathlib import Path

import pytest

from warehouse.errors import WarehouseError
from warehouse.file_lock import exclusive_lock


def test_the_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), exclusive_lock(tmp_path / "lock", 1.0):
        raise ValueError("inside")
    with exclusive_lock(tmp_path / "lock", 0.0):
        pass


def test_who_waits_for_a_lock_says_once_for_whom_and_names_it_at_the_end_too(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("warehouse.file_lock._LOG_AFTER_S", 0.05)
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/stockroom", "build", "--raw", "esci"])
    me = f"process {os.getpid()} (stockroom build --raw esci)"
    with exclusive_lock(tmp_path / "lock", 1.0):
        monkeypatch.setattr("sys.argv", ["/somewhere/bin/stockroom", "apply", "a.jsonl"])
        with pytest.raises(WarehouseError, match=re.escape(me)), exclusive_lock(tmp_path / "lock", 0.3):
            pass
    assert [record.getMessage() for record in caplog.records] == [
        f"waiting at most 0.3 s for {me}, which holds {tmp_path / 'lock'}"
    ]
    with exclusive_lock(tmp_path / "lock", 0.0):
        assert (tmp_path / "lock").read_text() == f"process {os.getpid()} (stockroom apply a.jsonl)"
    assert len(caplog.records) == 1  # a lock that is free is taken without a word
