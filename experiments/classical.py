"""Segmentation before learning: what a click or strokes choose among the parts of a photograph.

All work on ``image`` (H, W, 3) in [0, 1]. A click (x, y) says which part is meant, as none of these
methods knows what a thing is.
"""

from collections.abc import Sequence

import numpy as np
from skimage.color import rgb2gray, rgb2lab
from skimage.filters import gaussian, sobel, threshold_otsu
from skimage.measure import label
from skimage.segmentation import flood, watershed
from sklearn.cluster import KMeans

Click = tuple[int, int]


def clicked(parts: np.ndarray, clicks: Sequence[Click]) -> np.ndarray:
    """(H, W) part numbers -> bool: the connected pieces that were clicked on."""
    pieces = label(parts + 1, connectivity=1)
    return np.isin(pieces, [pieces[y, x] for x, y in clicks])


def otsu(image: np.ndarray, clicks: Sequence[Click]) -> np.ndarray:
    """Bright or dark: the grey value that parts the histogram best (Otsu, 1979)."""
    grey = gaussian(rgb2gray(image), 1)
    return clicked((grey > threshold_otsu(grey)).astype(int), clicks)


def k_means(image: np.ndarray, clicks: Sequence[Click], count: int = 5) -> np.ndarray:
    """The nearest of a few colours (Lloyd, 1982), in a space where near colours look alike."""
    colours = gaussian(rgb2lab(image), 1, channel_axis=2).reshape(-1, 3)
    nearest = KMeans(count, n_init=4, random_state=0).fit_predict(colours)
    return clicked(nearest.reshape(image.shape[:2]), clicks)


def region_growing(
    image: np.ndarray, clicks: Sequence[Click], tolerance: float = 0.15
) -> np.ndarray:
    """From each click outwards, as long as the grey value stays near that of the click."""
    grey = gaussian(rgb2gray(image), 1)
    grown = [flood(grey, (y, x), tolerance=tolerance) for x, y in clicks]
    return np.any(grown, axis=0)


def watersheds(image: np.ndarray, strokes: np.ndarray) -> np.ndarray:
    """Water rises from the strokes; where two waters meet, on a ridge of the gradient, is a border.

    ``strokes`` (H, W) is 1 on the ground, 2 on the object, 0 where nobody drew.
    """
    found = watershed(sobel(gaussian(rgb2gray(image), 1)), strokes)
    return np.asarray(found == 2)
