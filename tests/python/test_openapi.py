"""The document of the management API is an OpenAPI document, as somebody else understands it."""

import copy
import json
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"


def test_it_is_valid():
    OpenAPIV31SpecValidator(json.loads(DOCUMENT.read_text())).validate()


def test_the_validator_would_find_something():
    broken = copy.deepcopy(json.loads(DOCUMENT.read_text()))
    broken["paths"]["/api/v1/keys"]["get"]["responses"]["200"].pop("description")
    with pytest.raises(OpenAPIValidationError):
        OpenAPIV31SpecValidator(broken).validate()
