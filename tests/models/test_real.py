"""Files by the real libraries: none is an alarm, and few want a review."""

import collections

import pytest
import real
from score import Score

# What each library of `requirements.txt` must at least have written for the run to mean anything.
FEWEST = {
    "numpy": 20,
    "scipy": 5,
    "sklearn": 50,
    "joblib": 20,
    "pandas": 10,
    "xgboost": 10,
    "lightgbm": 5,
    "onnx": 10,
    "h5py": 10,
    "msgpack": 4,
}


@pytest.fixture(scope="module")
def score(tmp_path_factory, bastide):
    folder = tmp_path_factory.mktemp("real")
    real.write(folder)
    return Score(folder, bastide)


def test_every_library_wrote_its_files(score):
    counts = collections.Counter(sample["cls"] for sample in score.samples.values())
    assert not {name: counts[name] for name, fewest in FEWEST.items() if counts[name] < fewest}


def test_no_honest_file_is_an_alarm(score):
    assert not score.wrong, score.listed(f"alarms of {score.honest} honest files", score.wrong)


def test_few_honest_files_want_a_review(score):
    assert not score.too_many_reviews(), score.listed(f"reviews of {score.honest} honest files", score.reviews)
