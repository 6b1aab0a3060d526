"""Peak memory."""

import time

import numpy as np

from wsss_lib.meter import PeakMemory


def test_memory_that_is_given_back_is_seen():
    with PeakMemory() as small:
        time.sleep(0.1)
    with PeakMemory() as large:
        block = np.ones(150 * 2**17)  # 150 MiB
        time.sleep(0.2)
        del block
    assert 140 < large.peak_mb < 250
    assert small.peak_mb < 50
