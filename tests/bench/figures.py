"""Shared code of the benchmarks: figures with references, medians of rounds, and steps in separate processes."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """Hold one measured value, and the reference value measured in the same run.

    Attributes:
        name: What was measured.
        value: The value, the median if there were rounds.
        unit: Its unit: s, ms, MB, texts/s, recall, …
        beside: Name of the reference; empty if there is none.
        reference: Value of the reference, in the same unit.
        at_least: Lower bound of `ratio`, or of `value` without a reference; None: no bound.
        at_most: Upper bound, likewise.
    """

    name: str
    value: float
    unit: str
    beside: str = ""
    reference: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float | None:
        """Return value over reference."""
        return self.value / self.reference if self.reference else None

    @property
    def is_met(self) -> bool | None:
        """Tell whether the figure is within its bounds; None: no bounds."""
        if self.at_least is None and self.at_most is None:
            return None
        compared_value = self.value if self.ratio is None else self.ratio
        return (self.at_least is None or compared_value >= self.at_least) and (
            self.at_most is None or compared_value <= self.at_most
        )


@dataclass
class Bench:
    """Gather the figures of one benchmark, print them as a table and write them as JSON."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str, **compared: Any) -> Figure:
        """Add a figure and return it; see `Figure` for what it can be compared with."""
        self.figures.append(Figure(name, value, unit, **compared))
        return self.figures[-1]

    def finish(self, json_file: Path | None) -> None:
        """Print the table, and write it to `json_file` if there is one."""
        show(self.title, self.figures)
        if json_file:
            rows = [asdict(each) | {"ratio": each.ratio, "is_met": each.is_met} for each in self.figures]
            machine = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
            report = {"title": self.title, "machine": machine, "facts": self.facts, "figures": rows}
            json_file.parent.mkdir(parents=True, exist_ok=True)
            json_file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def show(title: str, figures: Sequence[Figure]) -> None:
    """Print figures as a table."""
    table = Table(title=title, title_justify="left")
    table.add_column("what", overflow="fold")
    for name in ("measured", "beside", "ratio", "bound", ""):
        table.add_column(name, justify="left" if name in ("beside", "") else "right", overflow="fold")
    for each in figures:
        beside = "" if each.reference is None else f"{_number(each.reference)} {each.unit}  {each.beside}"
        limits = (("≥", each.at_least), ("≤", each.at_most))
        bounds = [f"{sign} {limit:g}" for sign, limit in limits if limit is not None]
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        met = {True: "met", False: "MISSED", None: ""}[each.is_met]
        table.add_row(each.name, f"{_number(each.value)} {each.unit}", beside, ratio, ", ".join(bounds), met)
    Console(width=max(120, Console().width)).print(table)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    return parser


def median_seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """Return the median seconds of some rounds."""
    return median(seconds(work) for _ in range(rounds))


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def in_own_process(script: str, *options: object, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a step of a benchmark in its own process, and return the JSON object in the last line of its output."""
    command = [sys.executable, script, *map(str, options)]
    run = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    report: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return report


def peak_mb() -> int:
    """Return the peak memory of this process, in MB. (getrusage would include that of its parent.)"""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
