"""A command line that cannot be read is answered by one plain line: what is wrong, and where help is."""

import pytest


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["status", "--hom", "x"], "no such option: --hom; did you mean --home?"),
        (["status", "--nonsense"], "no such option: --nonsense; see stockroom status --help"),
        (["buidl"], "no such command 'buidl'; did you mean 'build'?"),
        (["search"], "missing argument 'query'; see stockroom search --help"),
        (["search", "tent", "-k", "many"], "-k must be a whole number, not 'many'; see stockroom search --help"),
        (["search", "tent", "-k", "0"], "-k must be at least 1, not '0'; see stockroom search --help"),
        (["lookup", "shop", "us:A"], "ENTITY: 'shop' is not one of 'product', 'query'; see stockroom lookup --help"),
        (
            ["search", "x", "--at", "noon"],
            "--at: 'noon' is not a time; write the time as 2022-06-14 or 2022-06-14T12:00+00:00",
        ),
        (["build", "surplus"], "got unexpected extra argument(s) (surplus); see stockroom build --help"),
        (["releases", "diff", "1"], "missing argument 'B'; see stockroom releases diff --help"),
    ],
)
def test_wrong_usage_is_one_line(stockroom, tmp_path, monkeypatch, arguments, line):
    monkeypatch.chdir(tmp_path)
    answer = stockroom(*arguments)
    assert (answer.status, answer.out, answer.err) == (2, "", f"error: {line}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--home", ""],
        ["--home", "", "status"],
        ["build", "--raw="],
        ["sample", "--out", ""],
        ["export", ""],
        ["apply", ""],
        ["evaluate", "--examples", ""],
    ],
)
def test_an_empty_path_is_not_the_working_directory(stockroom, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    answer = stockroom(*arguments)
    assert answer.status == 2
    assert "the path is empty; name one (the working directory is .)" in answer.err
    assert answer.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_a_command_the_help_comes_alone(stockroom):
    answer = stockroom()
    assert answer.status == 2
    assert "build" in answer.out
    assert "error" not in answer.err
