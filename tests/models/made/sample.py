"""One list of samples."""

from dataclasses import dataclass


@dataclass
class Sample:
    path: str
    label: str
    format: str
    cls: str
    note: str
    data: object  # Bytes, or for a folder a dictionary of names to bytes.


SAMPLES = []


def add(label, path, data, format, cls="", note=""):
    if any(sample.path == path for sample in SAMPLES):
        raise ValueError(f"two samples named {path}")
    SAMPLES.append(Sample(path, label, format, cls, note, data))


def bad(path, data, format, cls, note=""):
    add("malicious", path, data, format, cls, note)


def good(path, data, format, note=""):
    add("benign", path, data, format, "benign", note)


def unfinished(path, data, format, cls="", note=""):
    add("unfinished", path, data, format, cls, note)


def risky(path, data, format, cls, note=""):
    """Risky by design rather than hostile: it must not pass as clean."""
    add("review", path, data, format, cls, note)
