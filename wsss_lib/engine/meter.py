"""How much memory a piece of work takes."""

import ctypes
import gc
import os
import threading
from types import TracebackType
from typing import Self

import psutil
import torch


class PeakMemory:
    """Peak memory of a ``with`` block, on top of what was in use before it.

    On a GPU this is what PyTorch's allocator reports; on a CPU the resident memory of the process,
    sampled 50 times a second, so very short peaks can be missed.

    Attributes:
        peak_mb: the peak in MiB, known after the block.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self._device = torch.device(device)
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._process = psutil.Process()
        self._before = self._peak = 0
        self.peak_mb = 0.0

    def __enter__(self) -> Self:
        """Begin to watch."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
        else:
            _give_back()
            self._before = self._peak = self._process.memory_info().rss
            self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop watching."""
        if self._device.type == "cuda":
            self._peak = torch.cuda.max_memory_allocated(self._device)
        else:
            self._done.set()
            self._watcher.join()
        self.peak_mb = (self._peak - self._before) / 2**20

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self._peak = max(self._peak, self._process.memory_info().rss)


def _give_back() -> None:
    """Return freed memory to the system, or reusing it would look like using none."""
    gc.collect()
    # Only the GNU C library keeps freed memory and has a call to return it.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
