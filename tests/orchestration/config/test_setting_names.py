"""Names that resemble a wrong setting."""

import pytest

from orchestration.config.setting_names import names, near, siblings
from orchestration.config.settings import Settings


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("training.epoch", ["training.epochs"]),
        ("training_epochs", ["training.epochs"]),
        ("epochs", ["training.epochs"]),
        ("warehouse.epochs", ["training.epochs"]),
        ("quite.another", []),
    ],
)
def test_a_wrong_name_is_near_to_right_ones(wrong, right):
    assert near(wrong, names(Settings)) == right


def test_the_names_of_a_section_and_of_an_item_of_a_list():
    assert "epochs" in siblings(Settings, ("training", "x"))
    assert "training" in siblings(Settings, ("x",))
    assert "columns" in siblings(Settings, ("feature_view", 0, "x"))
    assert siblings(Settings, ("home", "x")) == []
