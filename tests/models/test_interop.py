"""Signatures against the reference implementation; `interop.py` says what is tried."""

import subprocess
import sys
from pathlib import Path


def test_signatures_are_understood_both_ways(bastide):
    script = Path(__file__).with_name("interop.py")
    run = subprocess.run([sys.executable, script, bastide], capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
