"""The optimiser of a recipe, the course of its learning rate, and the seeds."""

import random

import numpy as np
import torch
from torch import nn

from wsss_lib.core import InputError, Method, Recipe


def make_optimizer(method: Method, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser: one rate for ``method.backbone``, a higher one for the rest."""
    backbone = getattr(method, "backbone", None)
    inside = {id(p) for p in backbone.parameters()} if isinstance(backbone, nn.Module) else set()
    trainable = [p for p in method.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trainable if id(p) in inside], "lr": recipe.lr},
        {
            "params": [p for p in trainable if id(p) not in inside],
            "lr": recipe.lr * recipe.head_factor,
        },
    ]
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise InputError(
            f"{method.card.id} has no weights to train; a training-free method has steps=0."
        )
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=0.9, weight_decay=recipe.weight_decay)
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)


def schedule(recipe: Recipe, progress: float) -> float:
    """Factor of the learning rate: a linear warm-up, then the poly decay or the drops."""
    if progress < recipe.warmup:
        return (progress + 1 / recipe.steps) / (recipe.warmup + 1 / recipe.steps)
    if recipe.drops:
        return 0.1 ** sum(progress >= drop for drop in recipe.drops)
    return (1 - (progress - recipe.warmup) / (1 - recipe.warmup)) ** recipe.power


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - third-party code may draw from the global generator
    torch.manual_seed(seed)
