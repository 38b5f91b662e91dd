"""The symbolic pickle machine against CPython's unpicklers."""

import pytest
from differential import Comparison

COUNT = 3000


@pytest.mark.parametrize("seed", [1, 2])
def test_the_machine_sees_what_unpicklers_do(pickle_trace, seed):
    found = Comparison(pickle_trace, COUNT, seed)
    # Pickles that nobody can load would agree with anything.
    assert found.stops > COUNT / 2 and found.events > COUNT
    assert not found.differences, "\n".join(found.differences[:20])
