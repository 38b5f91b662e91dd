"""Writes hostile and honest model files with their labels: `python tests/models/generate.py DIR`.

Every byte is made here, by the standard library alone (HDF5 files are added where h5py is installed), and is the same
on every run. Payloads are markers that only print. Still: scan these files, never load them.
"""

import collections
import json
import shutil
import sys
from pathlib import Path

from made import archives, carriers, documents, graphs, pickles, serialisers, tensors
from made.sample import SAMPLES


def write(folder):
    for index, sample in enumerate(SAMPLES):
        files = sample.data if isinstance(sample.data, dict) else {"": sample.data}
        for name, data in files.items():
            path = folder / sample.path / name if name else folder / sample.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        sample.data = None
        yield {
            "id": f"g{index:04}",
            "path": sample.path,
            "label": sample.label,
            "format": sample.format,
            "cls": sample.cls,
            "note": sample.note,
        }


def generate(folder):
    """Writes every sample into `folder` with `labels.json`, and gives the labels."""
    SAMPLES.clear()
    for family in (pickles, archives, tensors, graphs, documents, carriers, serialisers):
        family.all_samples()
    labels = list(write(folder))
    (folder / "labels.json").write_text(json.dumps(labels, indent=1) + "\n")
    return labels


def main():
    folder = Path(sys.argv[1])
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "labels.json").exists():
            sys.exit(f"{folder} holds other files")
        shutil.rmtree(folder)
    labels = generate(folder)
    for key in ("label", "format", "cls"):
        counts = collections.Counter(label[key] for label in labels)
        print(f"{key}: " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))


if __name__ == "__main__":
    main()
