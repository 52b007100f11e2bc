"""Run every benchmark, one after another, print its table and leave its figures as JSON; print which bounds were met.

Run it with: make bench, or python tests/bench/run.py [--out DIR] [NAME …].
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
SHARED = {"figures", "run"}


def main() -> None:
    """Run the benchmarks that are named, else all of them."""
    names = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in SHARED)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(names)}")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="directory of the JSON files")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; the benchmarks are: {', '.join(names)}")
    options.out.mkdir(parents=True, exist_ok=True)
    failed, missed = [], []
    for name in options.names or names:
        print(f"── {name}", flush=True)
        json_path = options.out / f"{name}.json"
        if subprocess.run([sys.executable, FOLDER / f"{name}.py", "--json", json_path]).returncode:
            failed.append(name)
            continue
        figures = json.loads(json_path.read_text(encoding="utf-8"))["figures"]
        missed += [f"{name}: {each['name']}" for each in figures if each["is_met"] is False]
    print(f"figures: {options.out}/*.json")
    print(f"bounds missed: {'; '.join(missed) or 'none'}")
    if failed:
        sys.exit(f"did not come to an end: {', '.join(failed)}")


if __name__ == "__main__":
    main()
