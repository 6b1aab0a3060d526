import numpy as np
import torch
from skimage.segmentation import random_walker as skimage_walker

from wsss_lib.blocks.walker import random_walker
from wsss_lib.core import IGNORE


def test_it_equals_scikit_image():
    data = np.random.default_rng(0).random((20, 24)) / 4
    seeds = torch.full((1, 20, 24), IGNORE)
    seeds[0, 3, 4], seeds[0, 15, 20], seeds[0, 18, 2] = 0, 1, 2
    marks = np.where(seeds[0].numpy() == IGNORE, 0, seeds[0].numpy() + 1)
    expected = skimage_walker(data, marks, beta=130, mode="bf", return_full_prob=True)
    values = torch.from_numpy(data)[None]
    scale = 130 / (10 * data.std())
    edges = torch.zeros(1, 2, 20, 24, dtype=torch.float64)
    edges[:, 0, :, :-1] = (-scale * values.diff(dim=2).square()).exp() + 1e-10
    edges[:, 1, :-1] = (-scale * values.diff(dim=1).square()).exp() + 1e-10
    found = random_walker(edges, seeds, 3, tolerance=1e-9)[0].numpy()
    assert np.abs(found - expected).max() < 1e-5
