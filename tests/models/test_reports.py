"""The reports for other programs, against their schemas.

The schema of CycloneDX comes with its Python library. No package ships that of SARIF; `sarif_schema.py` states
the part of it that applies.
"""

import json
import subprocess
import zipfile
from pathlib import Path

import jsonschema
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from sarif_schema import SCHEMA


DOCS = Path(__file__).parents[2] / "docs"


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


ADVISORY = {
    "id": "GHSA-1",
    "published": "2026-01-01T00:00:00Z",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "database_specific": {"cwe_ids": ["CWE-502"]},
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "lib"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
        }
    ],
}
ATTACK = {
    "id": "MAL-1",
    "affected": [{"package": {"ecosystem": "PyPI", "name": "evil"}, "versions": ["1.0"]}],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project that asks for a package with a vulnerability and for one that is an attack, and their advisories."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").write_text('[project]\ndependencies = ["lib==1.0", "evil==1.0"]\n')
    advisories = tmp_path_factory.mktemp("osv")
    with zipfile.ZipFile(advisories / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for advisory in (ADVISORY, ATTACK):
            archive.writestr(f"{advisory['id']}.json", json.dumps(advisory))
    return ["--osv", advisories, folder]


def test_cyclonedx_with_vulnerabilities_is_valid(bastide, project):
    bom = report(bastide, "--cyclonedx", project)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom)
    assert error is None, repr(error)
    ratings = {one["id"]: one["ratings"][0]["severity"] for one in json.loads(bom)["vulnerabilities"]}
    assert ratings == {"GHSA-1": "critical", "MAL-1": "critical"}


def test_json_follows_the_documented_schema(bastide, few, project):
    schema = json.loads((DOCS / "reference" / "scan.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for paths in (few, project):
        run = subprocess.run([bastide, "scan", "--json", *paths], capture_output=True, check=False)
        jsonschema.Draft202012Validator(schema).validate(json.loads(run.stdout))


def test_cyclonedx_of_one_file_is_valid(bastide, few):
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(report(bastide, "--cyclonedx", few[:1]))
    assert error is None, repr(error)
