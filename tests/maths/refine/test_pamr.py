import math

import pytest
import torch

from tests.loops import one_at_another_size
from wsss_lib.blocks.refine.pamr import pamr, pamr_weights, par, par_weights, toy_par
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


def retyped_par_weights(image, dilations, sharpness, position):
    """PAR's formula, pixel by pixel: squared gaps, a deviation without the centre, nearness."""
    _, h, w = image.shape
    steps = [(d * i, d * j) for d in dilations for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    weights = torch.zeros(len(steps), h, w, dtype=image.dtype)
    far = torch.tensor([math.sqrt(dy**2 + dx**2) for dy, dx in steps], dtype=image.dtype)
    mean = sum(far) / len(far)
    spread = math.sqrt(sum((one - mean) ** 2 for one in far) / (len(far) - 1))
    near = torch.stack([-((one / (sharpness * spread)) ** 2) for one in far]).softmax(dim=0)
    for y in range(h):
        for x in range(w):
            seen = [
                image[:, min(max(y + dy, 0), h - 1), min(max(x + dx, 0), w - 1)] for dy, dx in steps
            ]
            sigma = torch.stack(seen).std(dim=0)
            gaps = [-(((one - image[:, y, x]) / (sharpness * sigma)) ** 2).mean() for one in seen]
            weights[:, y, x] = torch.stack(gaps).softmax(dim=0) + position * near
    return weights


@pytest.mark.parametrize(
    ("dilations", "sharpness", "position"), [((1,), 0.3, 0.01), ((1, 3), 2, 1)]
)
def test_weights_of_par_equal_the_retyped_formula(dilations, sharpness, position):
    image = torch.rand(2, 3, 6, 5, dtype=torch.float64)
    found = par_weights(image, dilations, sharpness, position)
    for one, weights in zip(image, found, strict=True):
        expected = retyped_par_weights(one, dilations, sharpness, position)
        assert torch.allclose(weights, expected, atol=1e-6)
    assert torch.allclose(found.sum(dim=1), torch.tensor(1 + position).double())


def test_rounds_of_par_are_sums_of_neighbours_of_a_smaller_image():
    image, maps = torch.rand(2, 3, 8, 12), torch.rand(2, 2, 3, 5)
    expected = []
    for b in range(2):
        small = one_at_another_size(image[b], (4, 6))
        weights = par_weights(small[None], (1, 2), 1.0, 0.5)[0]
        found = one_at_another_size(maps[b], (4, 6))
        for _ in range(2):
            before, found = found, torch.zeros_like(found)
            steps = [(d * i, d * j) for d in (1, 2) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            for k, (dy, dx) in enumerate(step for step in steps if any(step)):
                for y in range(4):
                    for x in range(6):
                        there = before[:, min(max(y + dy, 0), 3), min(max(x + dx, 0), 5)]
                        found[:, y, x] += weights[k, y, x] * there
        expected.append(one_at_another_size(found, (8, 12)))
    said = par(image, maps, (1, 2), 2, sharpness=1.0, position=0.5)
    torch.testing.assert_close(said, torch.stack(expected), atol=1e-5, rtol=1e-4)


def test_par_grows_a_constant_by_its_position_term_and_survives_flat_colour():
    flat = par(torch.full((1, 3, 6, 6), 0.5), torch.ones(1, 1, 6, 6), (1, 2), 3)
    assert torch.allclose(flat, torch.tensor(1.01**3))


def test_without_rounds_par_only_resizes():
    image, maps = torch.rand(1, 3, 8, 8), torch.rand(1, 2, 8, 8)
    assert torch.equal(par(image, maps, iterations=0, scale=1.0), maps)


def test_par_of_the_toy_world_looks_at_whole_images():
    image, maps = torch.rand(1, 3, 8, 8), torch.rand(1, 2, 8, 8)
    assert torch.equal(toy_par(image, maps), par(image, maps, (1, 2, 4), 10, 0.3, 0.01, 1.0))
    assert not torch.equal(toy_par(image, maps), par(image, maps, (1, 2, 4)))
