"""The int8 encoder fills the cache only if searches find the same products with it as with f32."""

import json

import pytest

from assets.services.int8_check import check_int8
from models.encoder.fingerprint import cpu_has_int8, encoder_fingerprint
from models.errors import ModelError
from orchestration.config.open_context import open_run_context
from orchestration.config.settings import load_settings


@pytest.fixture(scope="module")
def measured(copy_home):
    """A home in which int8 was measured, what its settings are, and what the measurement said."""
    if not cpu_has_int8():
        pytest.skip("this CPU has no int8")
    home = copy_home()

    def run_context(**encoder):
        return open_run_context(load_settings(home, encoder={"precision": "int8", "int8_loss": 1.0} | encoder))

    return run_context, check_int8(run_context())


def test_other_precisions_are_not_measured(built):
    assert check_int8(open_run_context(load_settings(built.home))) is None


def test_both_are_measured_on_the_validation_queries(measured):
    _, record = measured
    assert record["queries"] > 10
    assert record["products"] > 150
    assert record["int8_loss"] == pytest.approx(record["f32_recall_at_10"] - record["int8_recall_at_10"], abs=1e-9)
    assert record["int8_loss"] < 0.1


def test_what_was_measured_is_kept_and_not_measured_again(measured, monkeypatch):
    run_context, facts = measured
    monkeypatch.setattr("assets.services.int8_check.compare_recall", lambda *_, **__: pytest.fail("measured again"))
    assert check_int8(run_context()) == facts


def test_a_loss_above_the_setting_is_refused_with_the_numbers(measured):
    run_context, facts = measured
    space = run_context(int8_loss=0.002)
    record = space.home.encoders / f"{encoder_fingerprint(space.encoder)}.int8.json"
    worse = facts | {"f32_recall_at_10": 0.5, "int8_recall_at_10": 0.4979, "int8_loss": 0.0021}
    record.write_text(json.dumps(worse))
    with pytest.raises(
        ModelError, match=r"recall@10 0.4979 against 0.5000 on .* a loss of 0.0021, and 0.002 is allow"
    ) as no:
        check_int8(space)
    assert "STOCKROOM_ENCODER__PRECISION=auto" in no.value.hint
    record.write_text(json.dumps(facts))


def test_fewer_products_than_there_are_keep_the_judged_ones(measured):
    run_context, facts = measured
    fewer = check_int8(run_context(int8_products=100))
    assert 100 <= fewer["products"] < facts["products"]
    assert fewer["queries"] == facts["queries"]


def test_without_judged_validation_queries_nothing_is_taken_on_trust(measured):
    run_context, facts = measured
    space = run_context()
    record = space.home.encoders / f"{encoder_fingerprint(space.encoder)}.int8.json"
    record.write_text(json.dumps(facts | {"queries": 0, "int8_loss": None, "inputs": facts["inputs"]}))
    with pytest.raises(ModelError, match="no validation query has an Exact product"):
        check_int8(space)
