"""A folder of pictures that nobody has labelled yet."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLASSES = ["cat", "dog"]
SIZES = {"a": (40, 30), "b": (30, 40), "c": (40, 30)}  # width, height


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures of noise, in the plain layout."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for name, (width, height) in SIZES.items():
        pixels = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
    return tmp_path
