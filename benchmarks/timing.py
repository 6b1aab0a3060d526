"""Timing one operation against its peer."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import cv2
import torch
from threadpoolctl import threadpool_limits

from wsss_lib.engine.meter import PeakMemory

Work = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """Two ways to compute the same thing.

    Attributes:
        name: of the result file.
        operation: what is computed, in words.
        size: of the input.
        peer: what ours is compared with, with its version where it is a package.
        ours: makes our work for a device.
        theirs: the peer's work, on the CPU; makes what ``difference`` compares.
        difference: the largest absolute difference between both results, or another measure of it.
        pairs: how often both are timed.
        share: the part of the peer's work that ``theirs`` does, where all of it takes too long.
    """

    name: str
    operation: str
    size: str
    peer: str
    ours: Callable[[torch.device], Work]
    theirs: Work
    difference: Callable[[Any, Any], float]
    pairs: int = 5
    share: float = 1.0


def seconds(work: Work, device: torch.device) -> float:
    """Wall-clock of one call, with the GPU's work finished."""
    _finish(device)
    start = time.perf_counter()
    work()
    _finish(device)
    return time.perf_counter() - start


def measure(case: Case) -> dict[str, Any]:
    """Time both in turn, so that a busy moment of the machine hurts both alike.

    The ratio is the median over the pairs: how many times longer the peer takes. It is measured
    twice, with all threads that each can use, and with one thread for each.
    """
    cpu = torch.device("cpu")
    ours = case.ours(cpu)
    difference = case.difference(ours(), case.theirs())
    for _ in range(case.pairs // 2):  # the first calls of a process are slow for both
        ours(), case.theirs()
    runs = _pairs(case, ours)
    with one_thread():
        alone = _pairs(case, ours)
    found = {
        "operation": case.operation,
        "size": case.size,
        "peer": case.peer,
        "share": case.share,
        "runs": runs,
        "ratio": median(run["ratio"] for run in runs),
        "runs_one_thread": alone,
        "ratio_one_thread": median(run["ratio"] for run in alone),
        "difference": difference,
        "ours_peak_mb": _peak(ours, cpu),
        "peer_peak_mb": _peak(case.theirs, cpu),
    }
    if torch.cuda.is_available():
        gpu = torch.device("cuda")
        work = case.ours(gpu)
        work()
        times = [seconds(work, gpu) for _ in range(case.pairs)]
        found["gpu"] = {
            "name": torch.cuda.get_device_name(),
            "seconds": median(times),
            "peak_mb": _peak(work, gpu),
        }
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch, OpenCV and the libraries below NumPy and SciPy on a single thread."""
    torch_threads, cv_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv_threads)


def _pairs(case: Case, ours: Work) -> list[dict[str, float]]:
    cpu, runs = torch.device("cpu"), []
    for _ in range(case.pairs):
        mine, other = seconds(ours, cpu), seconds(case.theirs, cpu) / case.share
        runs.append({"ours_seconds": mine, "peer_seconds": other, "ratio": other / mine})
    return runs


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(work: Work, device: torch.device) -> float:
    with PeakMemory(device) as meter:
        work()
    return meter.peak_mb
