"""Hand-made files: each of them is judged as its label says."""

import pytest
from score import Score


@pytest.fixture(scope="module")
def score(generated, bastide):
    return Score(generated, bastide)


@pytest.mark.parametrize("label", ["malicious", "unfinished", "benign"])
def test_every_sample_is_judged_as_its_label_says(score, label):
    assert any(sample["label"] == label for sample in score.samples.values())
    wrong = [path for path in score.wrong if score.samples[path]["label"] == label]
    assert not wrong, score.listed(f"{label}, but called otherwise", wrong)


def test_few_honest_samples_want_a_review(score):
    assert not score.too_many_reviews(), score.listed(f"reviews of {score.honest} honest files", score.reviews)
