"""The launcher: a user's files with the names of the program's packages do no harm, or are named in an error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stockroom_launcher import PACKAGES, check_packages

ROOT = Path(__file__).parent.parent


def test_the_programs_own_packages_are_found():
    check_packages()


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("file", ["{}.py", "{}/__init__.py"])
def test_a_command_names_the_file_that_hides_a_package(tmp_path, name, file):
    hiding = _put(tmp_path, file.format(name))
    ran = _run("from stockroom_launcher import main; main()", PYTHONPATH=str(tmp_path))
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"error: {hiding} hides Stockroom's own package {name}; ")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("orchestration.definitions", "models"),
        ("orchestration.commands.build", "assets"),
        ("assets.run_context", "warehouse"),
        ("assets.run_context", "models"),
    ],
)
def test_dagster_and_scripts_get_the_same_import_error(tmp_path, module, name):
    hiding = _put(tmp_path, f"{name}.py")
    ran = _run(f"import {module}", PYTHONPATH=str(tmp_path))
    assert f"ImportError: {hiding} hides Stockroom's own package {name}; " in ran.stderr.splitlines()[-1]


def test_folders_without_python_code_and_other_names_are_in_nobodys_way(tmp_path):
    for file in ("assets/logo.png", "models/weights.bin", "tests/__init__.py", "app.py"):
        _put(tmp_path, file)
    ran = _run("from stockroom_launcher import check_packages; check_packages()", PYTHONPATH=str(tmp_path))
    assert (ran.returncode, ran.stderr) == (0, "")


def _put(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x = 1\n", encoding="utf-8")
    return path


def _run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code as an installed command does, with the program's folder last on the path and the user's before it."""
    environment["PYTHONPATH"] = f"{environment['PYTHONPATH']}{os.pathsep}{ROOT}"
    own = os.environ | environment | {"PYTHONSAFEPATH": "1"}
    return subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True, check=False)
