"""What a value must be is told in plain words."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from orchestration.config.plain_wording import fault


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (int, "many", "must be a whole number"),
        (int, 1.5, "must be a whole number"),
        (float, "many", "must be a number"),
        (bool, "maybe", "must be true or false"),
        (str, 1, "must be text"),
        (tuple[int, ...], 1, "must be a list"),
        (dict[str, int], 1, "must be a section"),
        (Annotated[int, Field(ge=1)], 0, "must be at least 1"),
        (Annotated[float, Field(lt=1)], 1, "must be less than 1"),
        (Literal["a", "b"], "c", "must be 'a' or 'b'"),
    ],
)
def test_what_a_value_must_be(kind, value, text):
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(value)
    assert fault(refused.value.errors()[0]) == text
