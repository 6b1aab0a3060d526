import numpy as np
import torch
from skimage.segmentation import random_walker as skimage_walker

from wsss_lib.blocks.refine.random_walker import colour_edges, random_walker
from wsss_lib.core import IGNORE


def test_it_equals_scikit_image():
    image = np.random.default_rng(0).random((20, 24, 3)) / 4
    seeds = torch.full((1, 20, 24), IGNORE)
    seeds[0, 3, 4], seeds[0, 15, 20], seeds[0, 18, 2] = 0, 1, 2
    marks = np.where(seeds[0].numpy() == IGNORE, 0, seeds[0].numpy() + 1)
    expected = skimage_walker(
        image, marks, beta=130, mode="bf", return_full_prob=True, channel_axis=-1
    )
    edges = colour_edges(torch.from_numpy(image).permute(2, 0, 1)[None], floor=1e-10)
    found = random_walker(edges, seeds, 3, tolerance=1e-9)[0].numpy()
    assert np.abs(found - expected).max() < 1e-5
