"""Climbing."""

import torch
from torch import nn

from wsss_lib.blocks.maps.ascent import climb, climb_step, differentiable, grad_cam_factor


def test_the_largest_move_is_one_step_for_each_image_by_itself():
    image = torch.full((2, 1, 2, 2), 0.5)
    image[:, 0, 0, 0], image[:, 0, 1, 1] = 0.0, 1.0
    gradient = torch.tensor([[0.0, 2.0, -4.0, 3.0], [0.0, 0.0, 0.0, 0.0]]).view(2, 1, 2, 2)
    moved = climb_step(image, gradient, 0.1)
    assert torch.allclose(moved[0].flatten(), torch.tensor([0.0, 0.55, 0.4, 1.0]))
    assert torch.equal(moved[1], image[1]), "no gradient, no move"


def test_images_climb_as_if_they_were_alone():
    def look(image):
        maps = (image[:, 0] ** 2).relu()
        return maps, maps.mean(dim=(1, 2))

    torch.manual_seed(0)
    image, hold = torch.rand(3, 1, 4, 5), torch.tensor([1.0, 2.0, 0.0])
    total, top = climb(look, image, 3, 0.1, hold)
    for i in range(3):
        alone, there = climb(look, image[i : i + 1], 3, 0.1, hold[i : i + 1])
        assert torch.allclose(alone[0], total[i], atol=1e-5)
        assert torch.allclose(there[0], top[i], atol=1e-5)
    assert not top.requires_grad
    assert not total.requires_grad


def test_only_weights_of_inference_mode_are_copied():
    layer = nn.Conv2d(1, 1, 1)
    assert differentiable(layer) is layer
    with torch.inference_mode():
        frozen = nn.Conv2d(1, 1, 1)
        copied = differentiable(frozen)
    assert not copied.weight.is_inference()
    assert torch.equal(copied.weight, frozen.weight)


def test_the_factor_counts_positive_weights_of_each_class_in_two_views():
    weight = torch.tensor([[1.0, -2.0, 0.0, 3.0, 0.5], [-1.0, -1.0, 0.0, 2.0, -3.0]])
    found = grad_cam_factor(weight[:, :, None, None])
    assert torch.allclose(found, torch.tensor([1 / 6, 1 / 2]))
    assert grad_cam_factor(-weight.abs()).tolist() == [0.5, 0.5], "no class, no division by 0"
