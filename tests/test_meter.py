"""Peak memory."""

import subprocess
import sys

PROGRAM = """
import time
import numpy as np
from wsss_lib.engine.meter import PeakMemory

with PeakMemory() as small:
    time.sleep(0.1)
with PeakMemory() as large:
    block = np.ones(150 * 2**17)  # 150 MiB
    time.sleep(0.2)
    del block
print(small.peak_mb, large.peak_mb)
"""

REUSE = """
import time
import torch
from wsss_lib.engine.meter import PeakMemory

def work():
    blocks = [torch.ones(2**13) for _ in range(3200)]  # 100 MiB in small pieces
    time.sleep(0.2)
    return blocks[-1]

kept = work()  # lies above what is freed, so the C library keeps that
with PeakMemory() as memory:
    work()
print(memory.peak_mb)
"""


def test_memory_that_is_given_back_is_seen():
    """In a process of its own: the memory of a long one shrinks while the system reclaims it."""
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    small, large = (float(value) for value in said.stdout.split())
    assert 140 < large < 250
    assert small < 50


def test_memory_that_an_earlier_stage_freed_is_counted_again():
    said = subprocess.run([sys.executable, "-c", REUSE], capture_output=True, text=True, check=True)
    assert 80 < float(said.stdout) < 200
