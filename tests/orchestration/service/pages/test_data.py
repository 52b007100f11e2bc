"""The data pages: SQL within the sandbox, ready-made questions, charts and tables."""

import re
from html import unescape
from threading import BoundedSemaphore

import pytest

from orchestration.service.pages.bar_chart import bars, intervals
from orchestration.service.pages.views import statements
from warehouse.console.named_queries import named_queries
from warehouse.contracts.registry import CONTRACTS
from warehouse.lake import catalog
from warehouse.settings import SqlSettings


def test_a_statement_is_answered_as_a_table_with_a_chart(client):
    answer = client.get("/data", params={"sql": "SELECT locale, count(*) AS n FROM staging.products GROUP BY ALL"})
    assert answer.status_code == 200
    assert answer.text.count("<rect") >= 2
    assert re.search(r"<td class=\"wide\">us</td>\s*<td class=\"right\">\d+</td>", answer.text)


@pytest.mark.parametrize("name", named_queries())
def test_each_ready_made_question_is_answered(client, name):
    answer = client.get("/data", params={"named": name})
    assert answer.status_code == 200
    assert named_queries()[name].answers in unescape(answer.text)
    assert 'aria-label="Result"' in answer.text


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE raw.products",
        "SELECT 1; SELECT 2",
        "COPY staging.products TO '/tmp/out.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "ATTACH '/tmp/x.db'",
        "SET memory_limit = '100GB'",
        "INSTALL httpfs",
        "SELECT getenv('HOME')",
        "nonsense",
        "SELECT '" + "x" * 30_000 + "'",
    ],
)
def test_what_the_sandbox_refuses_is_one_line(client, statement):
    answer = client.get("/data", params={"sql": statement})
    assert answer.status_code == 400
    assert answer.text.count('role="alert"') == 1
    assert "root:" not in answer.text


def test_the_bounds_of_the_settings_hold(live, client_of):
    client = client_of(live, sql=SqlSettings(max_rows=3, timeout_s=0.5))
    assert "3 rows, cut at the setting sql.max_rows" in client.get("/data", params={"sql": "FROM range(9)"}).text
    slow = client.get(
        "/data", params={"sql": "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range > b.range"}
    )
    assert slow.status_code == 400
    assert "ran longer than 0.5 s" in slow.text


def test_values_are_shown_as_text(client):
    text = client.get(
        "/data", params={"sql": "SELECT '<script>alert(1)</script>' AS \"<b>\", [1, NULL], 'x'::BLOB"}
    ).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<b>" not in text


def test_only_two_statements_run_at_once(live, monkeypatch):
    monkeypatch.setattr(statements, "_RUNNING", BoundedSemaphore(1))
    monkeypatch.setattr(statements, "_WAIT_S", 0.01)
    with statements._turn(), pytest.raises(statements.BusyError, match="statements run already"):
        statements.answer(live.home, "SELECT 1", SqlSettings())
    assert statements.answer(live.home, "SELECT 1", SqlSettings()).rows == [[1]]


def test_an_unknown_question_is_one_line(client):
    answer = client.get("/data", params={"named": "no <b>"})
    assert answer.status_code == 400
    assert "there is no question" in answer.text


def test_every_table_has_a_page_with_the_meaning_of_its_columns(client, live):
    with live.home.lake.reading() as connection:
        counts = catalog.row_counts(connection)
    listed = client.get("/data").text
    for table, contract in CONTRACTS.items():
        if table not in counts:
            continue
        assert f'href="/data/{table}"' in listed
        answer = client.get(f"/data/{table}")
        assert answer.status_code == 200
        text = " ".join(unescape(answer.text).split())
        assert all(" ".join(contract.meaning(column).split()) in text for column in contract.columns)


def test_statistics_of_a_feature_table_are_shown(client):
    text = client.get("/data/features.products").text
    assert "median" in text
    assert "Drift" in text


def test_an_unknown_table_is_one_line(client):
    for name in ("no.table", "x", "..%2Fraw.products", "%3Cb%3E"):
        answer = client.get(f"/data/{name}")
        assert answer.status_code == 404
        assert "<b>" not in answer.text


def test_bars_start_at_zero():
    assert bars([("a", 2.0), ("b", -2.0), ("c", None), ("d", float("nan"))]) == [
        ("a", 2.0, 50.0, 50.0),
        ("b", -2.0, 0.0, 50.0),
    ]
    assert bars([("a", 0.0)]) == [("a", 0.0, 0.0, 0.0)]
    assert bars([]) == []


def test_intervals_share_a_scale():
    (first, second) = intervals([(0.1, 0.2, 0.3), (-0.1, 0.0, 0.1)])
    assert first.zero == second.zero == 25.0
    assert (first.low, first.high) == (50.0, 100.0)
