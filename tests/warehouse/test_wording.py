import pytest

from warehouse.wording import counted, named


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("row",), "0 rows"),
        (1, ("row",), "1 row"),
        (2000, ("row",), "2,000 rows"),
        (1, ("query", "queries"), "1 query"),
        (3, ("query", "queries"), "3 queries"),
        (1, ("row differs", "rows differ"), "1 row differs"),
        (2, ("row differs", "rows differ"), "2 rows differ"),
    ],
)
def test_a_count_has_the_noun_in_its_number(count: int, words: tuple[str, ...], text: str) -> None:
    assert counted(count, *words) == text


@pytest.mark.parametrize(
    ("keys", "text"), [(["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more"), ([], "")]
)
def test_the_first_keys_are_named_and_the_others_counted(keys, text):
    assert named(keys, 2) == text
