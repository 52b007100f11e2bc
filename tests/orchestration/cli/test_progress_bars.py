"""The line of progress shows the step that runs, and counts where there is something to count."""

import io

import pytest
from rich.console import Console

from orchestration.cli.progress_bars import announcer, bars_on


@pytest.fixture
def drawn():
    """Return what announces tasks, and what returns the lines on the terminal."""
    terminal = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=100)
    bars = bars_on(terminal)

    def lines():
        with terminal.capture() as captured:
            terminal.print(bars.get_renderable())
        return [line.strip() for line in captured.get().splitlines() if line.strip()]

    return announcer(bars), lines


def test_a_step_has_its_name_and_no_count(drawn):
    announce, lines = drawn
    assert lines() == []
    end_start = announce("starting", None)
    (line,) = lines()
    assert "starting" in line
    assert "/?" not in line
    end_features = announce("features.products", None)
    end_start(1)
    (line,) = lines()
    assert "features.products" in line
    assert "starting" not in line
    end_features(1)
    assert lines() == []


def test_a_task_of_known_size_has_its_count_below_the_step(drawn):
    announce, lines = drawn
    end_model = announce("model", None)
    finished = announce("training", 12)
    finished(3)
    step, bar = lines()
    assert "model" in step
    assert "training" in bar
    assert " 3/12 " in bar
    end_model(1)
    assert lines() == []
    announce("folds", 5)(1)
    announce("model", None)(1)
    (bar,) = lines()
    assert " 1/5 " in bar


def test_a_task_of_the_same_name_takes_the_place_of_the_earlier_one(drawn):
    announce, lines = drawn
    announce("training", 12)(12)
    announce("training", 8)(2)
    (line,) = lines()
    assert " 2/8 " in line
