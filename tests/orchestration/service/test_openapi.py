"""The description of the service: requests made up from it are answered as it says, and every field is explained."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, checks

from orchestration.config.settings import load_settings
from orchestration.service.app import create_app

EXAMPLES = 12
# A filter, a facet and a locale are checked against the catalog, which no description can hold.
LEFT_OUT = [checks.positive_data_acceptance]


@pytest.mark.parametrize("kind", list(GenerationMode), ids=lambda kind: kind.value)
def test_made_up_requests_are_answered_as_described(copy_home, monkeypatch, kind):
    """Requests of the kind `negative` break the description, and have to be refused."""
    monkeypatch.setenv("STOCKROOM_SERVE__DELTA_S", "0.01")  # nothing applies them here
    app = create_app(load_settings(copy_home()))
    operations = [each.ok() for each in schemathesis.openapi.from_asgi("/openapi.json", app).get_all_operations()]
    assert len(operations) >= 10
    for operation in operations:
        described = operation.definition.raw
        if kind is GenerationMode.NEGATIVE and not {"parameters", "requestBody"} & set(described):
            continue  # nothing can be wrong

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=kind))
        def asked(case):
            answer = case.call()
            is_too_large = answer.status_code in (413, 414)  # a refusal that the check does not know as one
            case.validate_response(answer, excluded_checks=LEFT_OUT + [checks.negative_data_rejection] * is_too_large)

        asked()


def test_every_field_is_explained(client):
    described = client.get("/openapi.json").json()
    for name, schema in described["components"]["schemas"].items():
        for field, each in schema.get("properties", {}).items():
            assert each.get("description") or each.get("const") or "$ref" in each, (name, field)
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert all(each.get("description") for each in operation.get("parameters", [])), (method, path)
            assert "application/problem+json" in operation["responses"]["422"]["content"]
