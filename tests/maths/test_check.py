"""Every block that takes an image refuses the same images, in the same words."""

import pytest
import torch

from wsss_lib.blocks.check import check_image
from wsss_lib.blocks.refine.dense_crf import dense_crf
from wsss_lib.blocks.refine.grabcut import contrast_weights, grabcut
from wsss_lib.blocks.refine.lattice import bilateral_features
from wsss_lib.blocks.refine.pamr import pamr, pamr_weights
from wsss_lib.blocks.refine.random_walker import colour_edges
from wsss_lib.blocks.regions.superpixels import edge_map, felzenszwalb, slic
from wsss_lib.core import InputError

IMAGE = torch.rand(1, 3, 8, 9, generator=torch.Generator().manual_seed(0))
MAPS = torch.full((1, 2, 8, 9), 0.5)
TRIMAP = torch.zeros(8, 9, dtype=torch.int64)
TRIMAP[2:5, 2:5] = 3
BLOCKS = {
    "dense_crf": lambda image: dense_crf(image, MAPS),
    "pamr": lambda image: pamr(image, MAPS, (1,), 1),
    "pamr_weights": lambda image: pamr_weights(image, (1,)),
    "bilateral_features": lambda image: bilateral_features(image, 5.0, 5.0),
    "colour_edges": colour_edges,
    "grabcut": lambda image: grabcut(image[0], TRIMAP, iterations=1),
    "contrast_weights": lambda image: contrast_weights(image[0]),
    "slic": lambda image: slic(image[0], 4),
    "felzenszwalb": lambda image: felzenszwalb(image[0]),
    "edge_map": lambda image: edge_map(image[0]),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_bytes_levels_and_standardised_images_are_refused(name):
    BLOCKS[name](IMAGE)
    for image, cure in (
        ((IMAGE * 255).byte(), r"uint8 but must be float in \[0, 1\]: .*image\.float\(\) / 255"),
        (IMAGE * 255, r"runs from .* to 25.* must lie in \[0, 1\]: divide levels"),
        ((IMAGE - 0.45) / 0.22, "standardised images are for networks"),
        (IMAGE / 0, "NaN or infinity"),
    ):
        with pytest.raises(InputError, match=f"{name}: the image .*{cure}"):
            BLOCKS[name](image)


def test_what_bicubic_resizing_overshoots_is_let_through():
    check_image("me", torch.tensor([-0.005, 1.005, 0.5]).view(1, 3, 1, 1))
    with pytest.raises(InputError, match=r"permute\(2, 0, 1\)"):
        check_image("me", torch.rand(8, 9, 3), dims=3)
