"""The README's tree is the tree."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_tree_names_every_source_file_and_no_other() -> None:
    blocks = re.findall(
        r"^```text\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    (block,) = [block for block in blocks if "orchestration/\n" in block]
    shown, folders = set(), []
    for line in block.splitlines():
        name = line.split("  ", 1)[0] if not line.startswith(" ") else line.strip().split("  ", 1)[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders[depth:] = [name] if name.endswith("/") else []
        if not name.endswith("/"):
            shown.add("".join(folders[:depth]) + name)
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    packages = ("orchestration/", "assets/", "models/", "warehouse/")
    source = {path for path in tracked if path.startswith(packages) and not path.endswith("__init__.py")}
    assert shown == source
