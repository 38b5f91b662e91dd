"""Model files, made by hand and by real libraries, through the binary named in BASTIDE_BIN.

`cargo xtask test --only models` sets that and PICKLE_TRACE. Every check can be run by hand too: `generate.py`,
`real.py`, `score.py`, `differential.py` and `interop.py` say how.
"""

import os
from pathlib import Path

import generate
import pytest


def program(variable: str) -> Path:
    value = os.environ.get(variable)
    if not value:
        pytest.fail(f"{variable} is not set: `cargo xtask test --only models` sets it", pytrace=False)
    return Path(value).resolve()


@pytest.fixture(scope="session")
def bastide() -> Path:
    return program("BASTIDE_BIN")


@pytest.fixture(scope="session")
def pickle_trace() -> Path:
    return program("PICKLE_TRACE")


@pytest.fixture(scope="session")
def generated(tmp_path_factory) -> Path:
    """The folder that `generate.py` writes."""
    folder = tmp_path_factory.mktemp("generated")
    generate.generate(folder)
    return folder
