import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.config.open_home import open_home
from orchestration.config.settings import load_settings
from orchestration.instance.locks import run_lock
from warehouse.console.named_queries import named_queries
from warehouse.home import Home

RUN = CliRunner()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Home(tmp_path).lake.writing() as connection:
        connection.execute("CREATE SCHEMA staging")
        connection.execute(
            "CREATE TABLE staging.judgements AS FROM (VALUES ('us', 'E'), ('us', 'I')) AS t(locale, label)"
        )
    return tmp_path


def test_the_ready_made_queries_are_listed_with_what_they_answer(tmp_path: Path) -> None:
    listed = json.loads(RUN.invoke(app, ["sql", "--list", "--json", "--home", str(tmp_path)]).stdout)
    assert [query["name"] for query in listed] == list(named_queries())
    assert "label_mix" in RUN.invoke(app, ["sql", "--list", "--home", str(tmp_path)]).stdout


def test_a_ready_made_query_is_run_by_its_name(home: Path) -> None:
    answer = RUN.invoke(app, ["sql", "--named", "label_mix", "--json", "--home", str(home)])
    assert json.loads(answer.stdout) == [
        {"locale": "us", "judgements": 2, "exact": 0.5, "substitute": 0.0, "complement": 0.0, "irrelevant": 0.5}
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give one of"),
        (["SELECT 1", "--list"], "give one of"),
        (["SELECT 1", "--named", "label_mix"], "give one of"),
        (["--named", "label_mi"], "--named: there is no query label_mi; did you mean label_mix?"),
        (["--named", "../read"], "there is no query ../read; there are: confusable_brands, "),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_to_give(stockroom, home: Path, arguments: list[str], said: str):
    answer = stockroom("sql", *arguments, "--home", home)
    assert answer.status == 2
    assert said in answer.err
    assert answer.err.count("\n") == 1


def test_in_a_home_of_an_earlier_format_the_upgrade_is_named(copy_home, stockroom):
    home = open_home(load_settings(copy_home()))
    with home.lake.writing() as connection:
        connection.execute("ALTER TABLE evaluation.metrics RENAME COLUMN ranker TO system")
    (home.root / "format").write_text("2\n")
    refused = stockroom("sql", "--named", "slices", "--home", home.root)
    assert refused.status == 1
    assert "was written by an earlier version" in refused.err.replace("\n", " ")
    with run_lock(home):
        pass
    assert stockroom("sql", "--named", "slices", "--home", home.root).status == 0
