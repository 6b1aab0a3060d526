import pytest
import torch

from wsss_lib.blocks.refine.pamr import pamr, pamr_weights
from wsss_lib.core import InputError


def retyped_weights(image, dilations, sharpness):
    """The formula once more, pixel by pixel, with edges repeated."""
    _, h, w = image.shape
    weights = torch.zeros(8 * len(dilations), h, w, dtype=image.dtype)

    def pixel(y, x):
        return image[:, min(max(y, 0), h - 1), min(max(x, 0), w - 1)]

    for y in range(h):
        for x in range(w):
            steps = [(d * i, d * j) for d in dilations for i in (-1, 0, 1) for j in (-1, 0, 1)]
            window = torch.stack([pixel(y + dy, x + dx) for dy, dx in steps])
            sigma = window.std(dim=0)
            others = [(dy, dx) for dy, dx in steps if (dy, dx) != (0, 0)]
            logits = torch.stack(
                [
                    -(
                        (pixel(y + dy, x + dx) - image[:, y, x]).abs() / (1e-8 + sharpness * sigma)
                    ).mean()
                    for dy, dx in others
                ]
            )
            weights[:, y, x] = logits.softmax(dim=0)
    return weights


@pytest.mark.parametrize("dilations", [(1,), (1, 2), (1, 3)])
def test_weights_equal_the_retyped_formula(dilations):
    image = torch.rand(1, 3, 6, 5, dtype=torch.float64)
    found = pamr_weights(image, dilations, 0.1)[0]
    assert torch.allclose(found, retyped_weights(image[0], dilations, 0.1), atol=1e-10)


def test_weights_sum_to_one_and_constants_stay():
    image = torch.rand(2, 3, 9, 7)
    assert torch.allclose(pamr_weights(image, (1, 2)).sum(dim=1), torch.tensor(1.0))
    constant = torch.full((2, 4, 9, 7), 0.7)
    assert torch.allclose(pamr(image, constant), constant)


def test_values_stay_in_range_and_no_iterations_change_nothing():
    image, maps = torch.rand(1, 3, 8, 8), torch.rand(1, 2, 8, 8)
    assert torch.equal(pamr(image, maps, iterations=0), maps)
    refined = pamr(image, maps, (1, 2), 5)
    assert refined.min() >= maps.min()
    assert refined.max() <= maps.max()


def test_shift_and_accumulate_equals_gathering_all_neighbours():
    image, maps = torch.rand(1, 3, 10, 12), torch.rand(1, 2, 10, 12)
    weights = pamr_weights(image, (1, 2))
    padded = torch.nn.functional.pad(maps, (2,) * 4, mode="replicate")
    gathered = torch.stack(
        [
            padded[..., 2 + dy : 12 + dy, 2 + dx : 14 + dx]
            for d in (1, 2)
            for dy in (-d, 0, d)
            for dx in (-d, 0, d)
            if dy or dx
        ],
        dim=2,
    )
    expected = (gathered * weights[:, None]).sum(dim=2)
    assert torch.allclose(pamr(image, maps, (1, 2), 1), expected, atol=1e-6)


def test_one_pixel_image_and_flat_colour():
    one_pixel = pamr(torch.rand(1, 3, 1, 1), torch.ones(1, 1, 1, 1))
    assert torch.allclose(one_pixel, torch.tensor(1.0))
    flat = pamr(torch.full((1, 3, 5, 5), 0.5), torch.rand(1, 1, 5, 5), (1,), 3)
    assert flat.isfinite().all()


def test_sizes_must_agree():
    with pytest.raises(InputError, match="resize the maps"):
        pamr(torch.rand(1, 3, 8, 8), torch.rand(1, 1, 4, 4))


def test_gradients_flow_into_the_maps():
    image = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    maps = torch.rand(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m: pamr(image, m, (1,), 2), (maps,))
