"""`stockroom apply` tells the effect of each file, and each refused row once."""

import pytest

from orchestration.cli import output
from orchestration.cli.apply import show
from orchestration.commands.apply import ApplyReport


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr(output.console, "_width", 80)


def file(number, table, rules, **counts):
    names = ("inserted", "updated", "deleted", "unchanged", "unknown", "superseded", "late")
    return {
        "name": f"{number}.jsonl",
        "table": table,
        "sequence_number": number,
        "is_new": True,
        "refused": sum(rules.values()),
        "rules": rules,
        **dict.fromkeys(names, 0),
        **counts,
    }


def refusal(table, rule, rows, *keys):
    return {"table": table, "rule": rule, "rows": rows, "keys": list(keys)}


def test_the_label_stands_once_and_judgements_without_their_product_are_told(capsys):
    files = [
        file(1, "raw.products", {"product_title_blank": 2, "product_locale_malformed": 1}, deleted=1),
        file(2, "raw.judgements", {}, inserted=3),
    ]
    quarantined = [
        refusal("raw.products", "product_title_blank", 2, "us:A", "us:B"),
        refusal("staging.judgements", "judgement_without_product", 7, "us:1:P"),
    ]
    show(ApplyReport(files, changed=True, snapshot=5, release=2, run=None, quarantined=quarantined))
    assert capsys.readouterr().out.splitlines()[:6] == [
        "delta 1      1.jsonl: 1 deleted, 3 refused in raw.products",
        "delta 2      2.jsonl: 3 inserted in raw.judgements",
        "quarantined  7 × staging.judgements: judgement_without_product (us:1:P, …)",
        "             2 × raw.products: product_title_blank (us:A, us:B)",
        "             1 × raw.products: product_locale_malformed",
        '             all: stockroom sql "FROM quarantine.rows"',
    ]


def test_without_refused_rows_the_quarantine_is_not_told(capsys):
    show(ApplyReport([file(1, "raw.products", {}, deleted=1)], changed=True, snapshot=5, release=2, run=None))
    assert "quarantine" not in capsys.readouterr().out
