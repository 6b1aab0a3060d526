"""What a recipe leaves as it is while the rest of a network learns."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from wsss_lib.core import InputError, Method, Recipe


@contextmanager
def frozen(method: Method, recipe: Recipe) -> Iterator[None]:
    """Freeze parts of ``method.backbone``, which is in training mode, while a training runs.

    Raises:
        InputError: the recipe freezes something, and the method has no ``backbone``.
    """
    if not (recipe.freeze_levels or recipe.freeze_norm):
        yield
        return
    given = getattr(method, "backbone", None)
    if not isinstance(given, nn.Module):
        raise InputError(
            f"{method.card.id}: its recipe freezes parts of a backbone, but it has none: keep the "
            "backbone as self.backbone, or set freeze_levels=0 and freeze_norm=False."
        )
    backbones = [*given] if isinstance(given, nn.ModuleList) else [given]
    still: list[Tensor] = []
    if recipe.freeze_levels:
        still += [w for net in backbones for w in first_weights(net, recipe.freeze_levels)]
    if recipe.freeze_norm:
        for norm in (part for part in given.modules() if isinstance(part, _BatchNorm)):
            norm.eval()
            still += [weight for weight in norm.parameters() if weight.requires_grad]
    for weight in still:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in still:
            weight.requires_grad_(True)


def first_weights(backbone: nn.Module, levels: int) -> list[Tensor]:
    """The learning weights on which the first ``levels`` feature maps of a backbone depend."""
    weights = [weight for weight in backbone.parameters() if weight.requires_grad]
    image = torch.zeros(1, 3, 64, 64, device=weights[0].device)
    training = backbone.training
    maps = backbone.eval()(image)  # or the statistics would learn from an empty image
    backbone.train(training)
    slopes = torch.autograd.grad(maps[levels - 1].sum(), weights, allow_unused=True)
    return [weight for weight, slope in zip(weights, slopes, strict=True) if slope is not None]
