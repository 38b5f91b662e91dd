"""How fast `bastide scan` is beside other scanners.

    python tests/models/speed.py BASTIDE_BINARY [--peers PYTHON]...

PYTHON is that of a virtual environment with any of picklescan, modelscan and modelaudit; those that are
missing are left out. All are measured in one run, in a temporary folder that is deleted. Ratios of processor
time hold on a loaded machine, seconds do not. The safetensors file is sparse: its 2 GiB are read as zeros and
fill no disk, so nobody waits for one. Peak memory is that of a run's largest process. A scanner that ends with
an exit code of its own for errors may have read less than the others.
"""

import argparse
import json
import os
import pickle
import platform
import struct
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

import generate

GIVE_UP = 600  # seconds


def small_dicts(folder):
    """66 MB of structure: 2 million dicts of three numbers."""
    path = folder / "dicts.pkl"
    with path.open("wb") as file:
        pickle.dump([{"id": i, "x": i / 7, "y": i / 3} for i in range(2_000_000)], file, protocol=4)
    return path


def weights(folder, tensors=300, total=2 << 30):
    """A safetensors file of 2 GiB."""
    path = folder / "weights.safetensors"
    each = total // tensors // 4096 * 4096
    header = {
        f"model.layers.{i}.weight": {
            "dtype": "F32",
            "shape": [each // 4],
            "data_offsets": [i * each, (i + 1) * each],
        }
        for i in range(tensors)
    }
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + tensors * each)
    return path


def corpus(folder):
    """The files of `generate.py`."""
    path = folder / "corpus"
    path.mkdir()
    generate.generate(path)
    return path


INPUTS = {"hand-made corpus": corpus, "2 GiB safetensors": weights, "66 MB pickle": small_dicts}


def measure(command, folder):
    """Exit code, seconds, seconds of processor and peak MiB of a run; nothing where it takes too long."""
    # A process of its own for each run: the peak of children that were waited for never goes down again.
    waiter = (
        "import resource, subprocess, sys, time\n"
        "t = time.monotonic()\n"
        f"r = subprocess.run(sys.argv[1:], stdout=-3, stderr=-3, timeout={GIVE_UP})\n"
        "d = time.monotonic() - t\n"
        "u = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(r.returncode, d, u.ru_utime + u.ru_stime, u.ru_maxrss / 1024)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", waiter, *map(str, command)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1", "DO_NOT_TRACK": "1"},
    )
    if run.returncode != 0:
        return None
    code, *figures = run.stdout.split()
    return int(code), *map(float, figures)


def peers(python):
    """The command of each scanner that is installed beside `python`."""
    commands = {
        "picklescan": lambda path: ["--path", path],
        "modelscan": lambda path: ["-p", path],
        "modelaudit": lambda path: ["scan", path],
    }
    found = {}
    for name, arguments in commands.items():
        program = Path(python).parent / name
        if program.exists():
            found[name] = lambda path, program=program, arguments=arguments: [program, *arguments(path)]
        else:
            print(f"left out: {name} is not installed", file=sys.stderr)
    return found


def row(cells):
    print("| " + " | ".join(f"{cell:<18}" for cell in cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", type=Path)
    parser.add_argument("--peers", metavar="PYTHON", action="append", default=[])
    arguments = parser.parse_args()
    binary = arguments.binary.resolve()
    scanners = {"bastide": lambda path: [binary, "scan", "--json", path]}
    for python in arguments.peers:
        scanners |= peers(python)

    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{datetime.now(timezone.utc):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores{load}")
    titles = "input, scanner, seconds, ratio to bastide, processor seconds, ratio, peak MiB, exit code"
    row(titles.split(", "))
    with tempfile.TemporaryDirectory(prefix="speed-") as name:
        folder = Path(name)
        starts = sorted(measure([binary, "--version"], folder)[1] for _ in range(7))
        row(["process start", "bastide", f"{starts[3]:.4f}", "1", "", "", "", 0])
        for title, make in INPUTS.items():
            path = make(folder)
            own = None  # bastide comes first
            for scanner, command in scanners.items():
                measured = measure(command(path), folder)
                if measured is None:
                    row([title, scanner, f"more than {GIVE_UP}", "", "", "", "", ""])
                    continue
                code, seconds, busy, peak = measured
                own = own or (seconds, busy)
                ratios = seconds / own[0], busy / own[1]
                cells = f"{seconds:.3f} {ratios[0]:.1f} {busy:.3f} {ratios[1]:.1f} {peak:.0f} {code}"
                row([title, scanner, *cells.split()])


if __name__ == "__main__":
    main()
