"""The lines of a build and of `stockroom status` on too few judgements, and the searches for known products."""

import pytest

from orchestration.cli.judgement_output import show_judged, show_known_items, show_locales


def judged(judgements, train, validation):
    return {
        "judgements": judgements,
        "queries": {"train": train, "validation": validation, "test": 3},
        "needed": {"train": 50, "validation": 50},
        "to_train": 59,
        "to_choose": 334,
    }


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (
            judged(0, 0, 0),
            "none: a search orders by encoder and words, half each; a build trains a model from about 59 judged queries on, and "
            "chooses between ways to order from about 334 on",
        ),
        (
            judged(24, 12, 1),
            "too few to train on: 12 queries of 50; too few to choose between ways to order: 1 validation query",
        ),
        (
            judged(900, 80, 14),
            "too few to choose between ways to order: 14 validation queries of 50; a build chooses between",
        ),
        (judged(9000, 800, 140), ""),
    ],
)
def test_what_judgements_would_buy_is_said_while_they_are_too_few(capsys, facts, text):
    show_judged(facts)
    output = " ".join(capsys.readouterr().out.split())
    assert output.startswith(f"judgements {text}" if text else "")
    assert bool(output) == bool(text)


def test_known_products_are_shown_beside_a_warning(capsys):
    rows = [
        {"locale": locale, "ranker": ranker, "metric": metric, "value": 0.5, "queries": 9}
        for locale in ("all", "us")
        for ranker in ("ranked", "text", "vector")
        for metric in ("mrr", "recall@1", "recall@10", "recall@100")
    ]
    show_known_items(rows)
    output = " ".join(capsys.readouterr().out.split())
    assert output.startswith("known products: 9 searches by words of the product's own title")
    assert "the table is too small for an index" in output
    assert "not comparable with recall on judgements" in output
    show_known_items([*rows, {"locale": "all", "ranker": "index", "metric": "recall@10", "value": 0.97, "queries": 16}])
    assert "finds 97.0% of the ten nearest products" in " ".join(capsys.readouterr().out.split())
    show_locales(rows)
    assert capsys.readouterr().out.strip() == "us: recall@1 vector 0.500, text 0.500, ranked 0.500"
