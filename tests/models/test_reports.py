"""The reports for other programs, against their schemas.

The schema of CycloneDX comes with its Python library. No package ships that of SARIF; `sarif_schema.py` states
the part of it that applies.
"""

import json
import subprocess

import jsonschema
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from sarif_schema import SCHEMA


@pytest.fixture(scope="module")
def few(generated):
    """The first sample of every format and label."""
    chosen = {}
    for label in json.loads((generated / "labels.json").read_text()):
        chosen.setdefault((label["format"], label["label"]), generated / label["path"])
    return list(chosen.values())


def report(bastide, form, paths):
    run = subprocess.run([bastide, "scan", form, "-", *paths], capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1, 3), run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def sarif(bastide, few):
    return json.loads(report(bastide, "--sarif", few))


def test_sarif_is_valid(sarif):
    validator = jsonschema.Draft202012Validator(SCHEMA)
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(sarif)]
    assert not errors, "\n".join(errors[:20])


def test_sarif_results_name_their_rules(sarif):
    """SARIF 2.1.0, 3.27.5 to 3.27.7: a result's index and its rule's identifier speak of the same rule."""
    (run,) = sarif["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert run["results"]
    wrong = [r["ruleId"] for r in run["results"] if rules[r["ruleIndex"]] != r["ruleId"]]
    assert not wrong


def test_cyclonedx_is_valid(bastide, few):
    bom = report(bastide, "--cyclonedx", few)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom)
    assert error is None, repr(error)
    assert len(json.loads(bom)["components"]) >= len(few)


def test_cyclonedx_of_one_file_is_valid(bastide, few):
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(report(bastide, "--cyclonedx", few[:1]))
    assert error is None, repr(error)
