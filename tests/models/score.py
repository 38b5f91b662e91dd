"""Scores `bastide scan` on a labelled folder: `python tests/models/score.py DIR BASTIDE_BINARY`.

One process reads the whole folder. Fails when a malicious sample is not called malicious, an unfinished one is called
clean or review, one that is risky by design (label `review`) is called clean, an honest one is called malicious or
unfinished, or more than 2 % of the honest ones want a review.
"""

import collections
import json
import subprocess
import sys
import time
from pathlib import Path

ORDER = {"clean": 0, "review": 1, "unfinished": 2, "malicious": 3}
REVIEW_LIMIT = 0.02


def scan(binary, folder):
    started = time.monotonic()
    run = subprocess.run([binary, "scan", "--json", str(folder)], capture_output=True)
    if run.returncode not in (0, 1, 3):
        sys.exit(f"the scan ended with {run.returncode}: {run.stderr.decode(errors='replace')[-2000:]}")
    print(f"exit code {run.returncode} after {time.monotonic() - started:.1f} s")
    return json.loads(run.stdout)["files"]


def sample_of(path, folder, samples):
    """The sample that a reported path, perhaps of a member, belongs to: the longest that fits."""
    for prefix in (str(folder) + "/", str(folder.resolve()) + "/"):
        path = path.removeprefix(prefix)
    end = len(path)
    while end > 0:
        if path[:end] in samples:
            return path[:end]
        end = max(path.rfind(mark, 0, end) for mark in "/!:#")
    return None


def worst_by_sample(files, folder, samples):
    verdicts, findings = {}, collections.defaultdict(list)
    for file in files:
        path = sample_of(file["path"], folder, samples)
        if path is None:
            continue
        if ORDER[file["verdict"]] >= ORDER.get(verdicts.get(path), -1):
            verdicts[path] = file["verdict"]
        findings[path] += [(file["format"], finding) for finding in file["findings"]]
    return verdicts, findings


def is_right(label, verdict):
    if label == "malicious":
        return verdict == "malicious"
    if label == "unfinished":
        return verdict in ("unfinished", "malicious")
    if label == "review":
        return verdict in ("review", "unfinished", "malicious")
    return verdict in ("clean", "review")


def table(title, samples, verdicts, key):
    rows = collections.defaultdict(collections.Counter)
    for path, sample in samples.items():
        rows[sample[key] or "-"][sample["label"], verdicts.get(path, "not scanned")] += 1
    print(f"\n{title:20} detected    missed   honest  false alarms  reviews")
    for name, counts in sorted(rows.items()):
        hostile = sum(n for (label, _), n in counts.items() if label != "benign")
        found = sum(
            n for (label, verdict), n in counts.items() if label != "benign" and is_right(label, verdict)
        )
        honest = sum(n for (label, _), n in counts.items() if label == "benign")
        alarms = sum(
            n for (label, verdict), n in counts.items() if label == "benign" and not is_right(label, verdict)
        )
        print(
            f"{name:20} {found:8} {hostile - found:9} {honest:8} {alarms:13} {counts['benign', 'review']:8}"
        )


class Score:
    """What a scan said of a labelled folder."""

    def __init__(self, folder, binary):
        self.samples = {label["path"]: label for label in json.loads((folder / "labels.json").read_text())}
        self.verdicts, self.findings = worst_by_sample(scan(binary, folder), folder, self.samples)
        self.wrong, self.reviews, self.honest = [], [], 0
        for path, sample in self.samples.items():
            self.honest += sample["label"] == "benign"
            if not is_right(sample["label"], self.verdict(path)):
                self.wrong.append(path)
            elif sample["label"] == "benign" and self.verdict(path) == "review":
                self.reviews.append(path)

    def verdict(self, path):
        return self.verdicts.get(path, "not scanned")

    def too_many_reviews(self):
        return len(self.reviews) > REVIEW_LIMIT * self.honest

    def explain(self, path):
        """What was expected of a sample and what was found in it, in a few lines."""
        sample = self.samples[path]
        line = f"  {path}: {sample['label']} ({sample['cls']}) called {self.verdict(path)}"
        lines = [f"{line}  {sample.get('note', '')}".rstrip()]
        for format_, finding in self.findings[path][:4]:
            where = f"{finding['id']} {finding['severity']} at {finding.get('offset')}"
            lines.append(f"      {format_}: {where}: {finding['message']}")
        return "\n".join(lines)

    def listed(self, title, paths):
        return "\n".join([f"{title}: {len(paths)}", *map(self.explain, paths)])


def main():
    score = Score(Path(sys.argv[1]), sys.argv[2])
    table("class", score.samples, score.verdicts, "cls")
    table("format", score.samples, score.verdicts, "format")
    for title, paths in (("wrong", score.wrong), ("reviews of honest files", score.reviews)):
        print("\n" + score.listed(title, paths))
    hostile = len(score.samples) - score.honest
    missed = sum(score.samples[path]["label"] != "benign" for path in score.wrong)
    print(
        f"\ndetected {hostile - missed} of {hostile}; false alarms {len(score.wrong) - missed} of {score.honest};"
        f" reviews {len(score.reviews)}"
    )
    sys.exit(1 if score.wrong or score.too_many_reviews() else 0)


if __name__ == "__main__":
    main()
