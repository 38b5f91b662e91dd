"""The official SDK against bastide in front of the mock upstream.

BASTIDE_BIN and MOCK_BIN name the two binaries. With BASTIDE_DIRECT=1 the SDK speaks to the mock itself: what fails
then is a fault of this suite or of the mock, not of bastide.
"""

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import openai
import pytest

DIRECT = os.environ.get("BASTIDE_DIRECT") == "1"

through_bastide = pytest.mark.skipif(DIRECT, reason="a promise of bastide, not of the mock")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url: str, timeout: float = 2.0) -> bytes:
    with urllib.request.urlopen(url, timeout=timeout) as response:
        return response.read()


def start(command: list, ready: str, log: Path) -> subprocess.Popen:
    """Starts a server and waits until the URL `ready` answers 200."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{log.read_text(errors='replace')}")
        try:
            get(ready)
            return process
        except OSError:
            time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"{command[0]} was not ready after 30 s:\n{log.read_text(errors='replace')}")


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def binary(variable: str) -> str:
    path = os.environ.get(variable)
    if not path or not Path(path).is_file():
        pytest.exit(f"{variable} must name the built binary; `cargo xtask test` sets it", returncode=3)
    return path


@dataclass
class Mock:
    """The model server behind everything."""

    origin: str

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def stats(self) -> dict:
        return json.loads(get(f"{self.origin}/mock/stats"))

    def last_body(self) -> str:
        """The last request as the upstream saw it."""
        return get(f"{self.origin}/mock/last").decode()

    def wait_for(self, counter: str, least: int, limit: float = 5.0) -> bool:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if self.stats()[counter] >= least:
                return True
            time.sleep(0.02)
        return False


@dataclass
class Gateway:
    """What the SDK speaks to: bastide, or the mock itself."""

    base_url: str
    key: str
    binary: str | None = None
    data: Path | None = None

    def verify(self, receipt: str) -> subprocess.CompletedProcess:
        """Runs `bastide audit verify` on a receipt."""
        command = [self.binary, "audit", "verify", "--data", self.data, "--receipt", receipt]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def scratch():
    with tempfile.TemporaryDirectory(prefix="bastide-sdk-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def mock(scratch):
    origin = f"http://127.0.0.1:{free_port()}"
    command = [binary("MOCK_BIN"), "--listen", origin.removeprefix("http://"), "--record", "--events", "40"]
    process = start(command, f"{origin}/healthz", scratch / "mock.log")
    yield Mock(origin)
    stop(process)


@pytest.fixture(scope="session")
def gateway(mock, scratch):
    if DIRECT:
        yield Gateway(mock.base_url, "any")
        return
    program = binary("BASTIDE_BIN")
    origin = f"http://127.0.0.1:{free_port()}"
    data = scratch / "data"
    command = [program, "serve", "--listen", origin.removeprefix("http://"), "--data", data, "--upstream", mock.base_url]
    process = start(command, f"{origin}/readyz", scratch / "bastide.log")
    create = [program, "key", "create", "sdk-tests", "--data", data, "--json"]
    made = subprocess.run(create, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert made.returncode == 0, made.stderr
    yield Gateway(f"{origin}/v1", json.loads(made.stdout)["key"], program, data)
    stop(process)
    print((scratch / "bastide.log").read_text(errors="replace")[-4000:])


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=20) as client:
        yield client


def user(text: str) -> list:
    return [{"role": "user", "content": text}]


def tool(name: str) -> dict:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": parameters}}
