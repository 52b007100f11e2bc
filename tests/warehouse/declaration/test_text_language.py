"""The language of texts, guessed."""

import polars as pl
import pytest

from warehouse.declaration.text_language import guessed_language


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["Trekkingrad für Damen", "Schloss mit Zahlen", "Sattel"], "de"),
        (["Lamp for the desk", "Chair with arms", "Tent"], "en"),
        (["Selle pour le vélo", "Pompe avec manomètre", "Cadenas et clé"], "fr"),
        (["Silla para el bebé", "Bomba con manómetro", "Candado y llave"], "es"),
        (["自転車のライト", "サドル"], "ja"),
        (["Lamp", "Chair", None], None),
        (["X-200", "de"], None),
        (["A mug", "Lamp"], None),  # the Portuguese word in one title
        ([], None),
    ],
)
def test_a_language_is_named_where_small_words_or_the_script_make_it_clear(texts, language):
    assert guessed_language(pl.Series(texts, dtype=pl.String)) == language
