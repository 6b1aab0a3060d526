"""Climbing: change an image so that a network likes it better."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def differentiable(module: Any) -> Any:
    """The module itself, or a copy where its weights were made in inference mode.

    Images (B, 3, H, W) have no gradients behind weights that may not be kept for a backward pass.
    """
    if not any(weight.is_inference() for weight in module.parameters()):
        return module
    with torch.inference_mode(False):
        return copy.deepcopy(module)


def climb(
    look: Callable[[Tensor], tuple[Tensor, Tensor]],
    image: Tensor,
    climbs: int,
    step: float | Tensor,
    hold: Tensor,
    counts: float = 0.5,
) -> tuple[Tensor, Tensor]:
    """Add up the maps of an image while it climbs.

    Each climb follows the gradient of ``gain - hold * sum_u |M_t(u) - M_0(u)|``, where u are the
    places that count at the moment, ``M_t(u) > counts * max M_t``. Without this brake, the parts
    that count already would take all the gain.

    Source: AdvCAM (Lee et al., CVPR 2021), equations 3-7; places as in the released code.

    Args:
        look: images -> maps (n, h, w), non-negative, and gains (n,); images must not see each
            other.
        image: (n, ..., H, W), any views of n images.
        climbs: how often the image is changed.
        step: how far the value moves that moves most.
        hold: (n,) weight of the brake, in units of a gain for a unit of a map at one place.
        counts: share of a map's maximum.

    Returns:
        total: (n, h, w), ``M_0 + ... + M_T`` with T = climbs.
        image: where the climb ends, of the shape of ``image``.
    """
    # Methods predict in inference mode, whose tensors have no gradients; a copy made outside has.
    with torch.inference_mode(False), torch.enable_grad():
        image, hold = image.clone().detach(), hold.clone()
        maps, gain = look(image.requires_grad_())
        first = total = maps.detach()
        for _ in range(climbs):
            held = maps.detach() > counts * maps.detach().amax(dim=(1, 2), keepdim=True)
            brake = ((maps - first).abs() * held).sum(dim=(1, 2))
            (slope,) = torch.autograd.grad((gain - hold * brake).sum(), image)
            image = climb_step(image.detach(), slope, step)
            maps, gain = look(image.requires_grad_())
            total = total + maps.detach()
    return total, image.detach()


def grad_cam_factor(weight: Tensor) -> Tensor:
    """What a class map is multiplied by in the Grad-CAM that AdvCAM's released code holds.

    There the gradient is that of the map's sum over two views, and it is averaged over the positive
    gradients of all channels: ``1 / (2 D+)``, with D+ the number of positive weights.

    Args:
        weight: (n, D, ...) of linear classifiers, one for each class asked for.

    Returns:
        (n,) in (0, 1/2].
    """
    return 0.5 / (weight.flatten(1) > 0).sum(dim=1).clamp(min=1)


def climb_step(image: Tensor, gradient: Tensor, step: float | Tensor) -> Tensor:
    """Move an image along a gradient; the value that moves most moves by ``step``.

    Source: AdvCAM (Lee et al., CVPR 2021), equation 3, normalised and clipped as in the released
    code.

    Args:
        image: (B, ..., H, W), each image with its views, which share a step length.
        gradient: of what shall grow, (B, ..., H, W); images without gradient stay.
        step: how far the value moves whose gradient is largest.

    Returns:
        (B, ..., H, W), each image inside the range of its own values.
    """
    flat = image.flatten(1)
    low, high = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
    slope = gradient.flatten(1)
    slope = slope / slope.abs().amax(dim=1, keepdim=True).clamp(min=1e-12)
    return torch.minimum(torch.maximum(flat + step * slope, low), high).view_as(image)
