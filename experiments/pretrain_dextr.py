"""Train the network that reads extreme clicks: ``python -m experiments.pretrain_dextr``.

It learns from the masks of toy ImageNet objects, whose outlines no toy world has: what it knows of
the six shapes of the measured worlds is that they are shapes. Every object has a neighbour pasted
beside or behind it: alone in a window, the object is whatever is no ground, and clicks would be
useless. The weights are stored in half precision, its figures in ``results/foundation/dextr.json``,
with those of the same network when it is not shown where the clicks are.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor
from tqdm.auto import tqdm

from experiments.pretrain_toy import save_measured
from wsss_lib.blocks.regions.clicks import cut_window
from wsss_lib.data.toy.imagenet import toy_objects
from wsss_lib.data.toy.variants import VERSION
from wsss_lib.data.weak import extremes_from_masks
from wsss_lib.losses.balanced import balanced_mask_loss
from wsss_lib.nets.large.extreme_cut import ExtremeCut, toy_extreme_cut
from wsss_lib.nets.large.hub import WEIGHTS

LR = 4e-3
MISS = 1
"""Pixels by which clicks miss the ends of an object, at most."""
APART = 28
"""Rows and columns by which a neighbour is moved, at most."""


def clicked(mask: Tensor, rng: np.random.Generator) -> Tensor:
    """(H, W) mask of an object -> (4, 2) clicks on its ends."""
    return extremes_from_masks(mask.long(), mask.long(), rng, MISS)[0]


def beside(
    image: Tensor, mask: Tensor, other: Tensor, other_mask: Tensor, rng: np.random.Generator
) -> Tensor:
    """An image (3, H, W) with the object of another one behind or beside its own, moved by chance.

    Args:
        image: any values.
        mask: (H, W) bool, its object, which stays in front.
        other: the image that the neighbour comes from.
        other_mask: (H, W) bool, the neighbour; what leaves the frame comes in again opposite.
        rng: draws how far it is moved.
    """
    move = tuple(int(n) for n in rng.integers(-APART, APART + 1, 2))
    there = other_mask.roll(move, (0, 1)) & ~mask
    return other.roll(move, (1, 2)).where(there, image)


def shown(net: ExtremeCut, image: Tensor, mask: Tensor, rng: np.random.Generator) -> Tensor:
    """What the network sees of an object, and in a fifth channel what it should answer."""
    if rng.random() < 0.5:
        image, mask = image.flip(-1), mask.flip(-1)
    clicks = clicked(mask, rng)
    wanted = cut_window(mask[None].float(), net.window(clicks), net.zoom)
    return torch.cat([net.see(image / 255, clicks), (wanted > 0.5).float()])


def train(steps: int, pictures: int, seed: int = 0) -> ExtremeCut:
    """Train a network from the start on."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    images, masks = toy_objects(pictures, seed, progress=True)
    masks = masks.bool()
    whole = masks.flatten(1).any(dim=1).nonzero()[:, 0].numpy()
    net = toy_extreme_cut(pretrained=False).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps, pct_start=0.2)
    bar = tqdm(range(steps), desc="pretrain toy_dextr")
    for _ in bar:
        chosen = rng.choice(whole, (8, 2))
        both = torch.stack(
            [
                shown(net, beside(images[i], masks[i], images[k], masks[k], rng), masks[i], rng)
                for i, k in chosen
            ]
        )
        loss = balanced_mask_loss(net.net(both[:, :4]), both[:, 4:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}")
    return net.eval()


@torch.no_grad()
def figures(net: ExtremeCut, pictures: int, certain: float = 0.8) -> dict[str, float]:
    """Mean IoU of objects of the shapes that it learned from, in new pictures, with neighbours.

    No world that is measured is looked at, so that nothing can be chosen by it.
    """
    images, masks = toy_objects(pictures, seed=1)
    rng, masks, sigma = np.random.default_rng(1), masks.bool(), net.sigma
    found: list[float] = []
    blind: list[float] = []
    for k, (image, mask) in enumerate(zip(images, masks, strict=True)):
        if not mask.any():
            continue
        crowded = beside(image, mask, images[k - 1], masks[k - 1], rng) / 255
        clicks = clicked(mask, rng)[None]
        for ious, width in ((found, sigma), (blind, 1e-3)):
            net.sigma = width
            said = net(crowded, clicks)[0] > certain
            ious.append(((said & mask).sum() / (said | mask).sum()).item())
    net.sigma = sigma
    return {
        "pictures": len(found), "mean_iou": float(np.mean(found)),
        "mean_iou_without_heat": float(np.mean(blind)),
    }  # fmt: skip


def main(
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 800,
    pictures: Annotated[int, typer.Option(help="Pictures to learn from.")] = 2500,
    out: Annotated[Path, typer.Option(help="Where the weights go.")] = WEIGHTS,
    results: Annotated[Path, typer.Option(help="Where the figures go.")] = Path(
        "results/foundation"
    ),
    images: Annotated[int, typer.Option(help="Pictures that it is measured on.")] = 256,
) -> None:
    """Train the network, write its weights and its figures."""
    start = time.perf_counter()
    net = train(steps, pictures)
    facts = {
        "net": "toy_dextr", "version": VERSION, "pictures": pictures, "steps": steps, "lr": LR,
        "seed": 0, "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip
    save_measured(
        net.net,
        facts,
        out,
        results / "dextr.json",
        lambda: {"measured_on": "toy ImageNet, seed 1", **figures(net, images)},
    )


if __name__ == "__main__":
    typer.run(main)
