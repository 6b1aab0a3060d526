"""Shared by all tests: few threads, and the data that not every machine has."""

import os
from pathlib import Path

# Set before torch and OpenCV are imported: workers of pytest-xdist would fight for the cores.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The top folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real photographs, weights and the survey's tables; tests skip where they are missing."""
    folder = Path(os.environ.get("WSSS_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared data: set WSSS_SHARED or put it at {folder}")
    return folder
