"""A feature is added as the guide shows: with one column in SQL and one declared line."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NAME = "title_capitals"
MEANING = "number of capital letters in the title"

SCRIPT = f"""
import json, sys
from pathlib import Path
from assets.tables.features import feature_products
from orchestration.commands.build import build
from orchestration.config.settings import load_settings
from orchestration.config.open_context import open_run_context
from warehouse.console import sql_console as inspection
from warehouse.contracts.registry import CONTRACTS

home = Path(sys.argv[1])
workspace = open_run_context(load_settings(home))
report = build(workspace)
rows = inspection.query(
    workspace.home.lake,
    "SELECT title, {NAME} FROM features.products JOIN staging.products USING (key)",
    load_settings(home).sql,
).frame.rows()
(schema,) = (value["dagster/column_schema"] for value in feature_products.metadata_by_key.values())
print(json.dumps({{
    "rows": rows,
    "meaning": CONTRACTS["features.products"].meaning("{NAME}"),
    "shown": {{column.name: column.description for column in schema.columns}},
    "model": report.model,
}}))
"""


def diff_of_guide() -> dict[str, tuple[str, str]]:
    """Return what the guide's diff adds, by file: the line before, and the added one."""
    guide = ROOT / "docs" / "guides" / "adding-a-feature.md"
    block = re.search(r"```diff\n(.*?)```", guide.read_text("utf-8"), re.S)
    assert block
    changes = {}
    for part in block[1].split("--- ")[1:]:
        path, before, added = part.rstrip("\n").split("\n")
        assert before[0] == " "
        assert added[0] == "+"
        changes[path] = (before[1:], added[1:])
    return changes


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the packages with the guide's two lines added."""
    root = tmp_path_factory.mktemp("source")
    for package in ("orchestration", "assets", "models", "warehouse"):
        shutil.copytree(ROOT / package, root / package)  # with what Python compiled: times are kept
    shutil.copy2(ROOT / "stockroom_launcher.py", root)
    changes = diff_of_guide()
    assert {Path(path).suffix for path in changes} == {".sql", ".py"}
    for path, (before, added) in changes.items():
        text = (root / path).read_text("utf-8")
        assert text.count(f"{before}\n") == 1, f"{path} has no single line {before!r}"
        (root / path).write_text(text.replace(f"{before}\n", f"{before}\n{added}\n"), "utf-8")
    return root


@pytest.mark.slow
def test_the_next_build_brings_the_feature_into_sql_the_ui_and_the_towers(
    copy: Path, copy_home: Callable[[], Path], built: Any
) -> None:
    home = copy_home()
    own = {"PYTHONPATH": str(copy), "STOCKROOM_TRAINING__EPOCHS": "1", "STOCKROOM_RELEASE__GATE_MARGIN": "1"}
    command = [sys.executable, "-c", SCRIPT, str(home)]
    done = subprocess.run(command, cwd=copy, env=os.environ | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert len(answer["rows"]) == built.report["rows"]["staging.products"]
    assert all(
        value == sum(letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" for letter in title) for title, value in answer["rows"]
    )
    assert any(value for _, value in answer["rows"])
    assert answer["meaning"] == answer["shown"][NAME] == MEANING
    assert answer["model"] != built.report["model"]
    manifest = json.loads((home / "models" / answer["model"] / "model.json").read_text("utf-8"))
    assert NAME in manifest["features"]["product"]["numeric"]
