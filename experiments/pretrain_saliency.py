"""Train the salient object network of the toy world: ``python -m experiments.pretrain_saliency``.

It learns from the masks of toy ImageNet objects, whose outlines no toy world has. Like the saliency
networks that published systems use, it has seen masks of other images; unlike theirs, of other
classes as well. The weights are stored in half precision, its figures in
``results/foundation/saliency.json``.
"""

import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from tqdm.auto import tqdm

from experiments.foundation.pictures import drawn, stacked
from experiments.pretrain_toy import augment, save_measured
from wsss_lib.data.toy.imagenet import toy_objects
from wsss_lib.data.toy.variants import VERSION
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.large.hub import WEIGHTS
from wsss_lib.nets.large.saliency import Saliency, toy_saliency

LR = 4e-3


def train(steps: int, pictures: int, seed: int = 0) -> Saliency:
    """Train a network from the toy backbone's weights on."""
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    images, masks = toy_objects(pictures, seed, progress=True)
    net = toy_saliency(pretrained=False).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps, pct_start=0.2)
    bar = tqdm(range(steps), desc="pretrain toy_saliency")
    for _ in bar:
        chosen = torch.randint(0, pictures, (16,), generator=order)
        # Picture and mask move together, as four channels.
        both = torch.cat([images[chosen] / 255, masks[chosen][:, None].float()], dim=1)
        both = augment(both, order)
        loss = pixel_loss(net.model(both[:, :3]), both[:, 3].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}")
    return net.eval()


@torch.no_grad()
def figures(net: Saliency, images: int) -> dict[str, float]:
    """Objects against the rest on the validation pictures of world 0: what carries over."""
    scenes = drawn(0, "standard", "val", images)
    said = torch.cat([net(part / 255) for part in stacked(scenes).split(32)])[:, 0]
    true = torch.stack([torch.from_numpy(scene.label) for scene in scenes]) > 0
    found = said > 0.5
    return {
        "iou": ((found & true).sum() / (found | true).sum()).item(),
        "mae": (said - true.float()).abs().mean().item(),
    }


def main(
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 800,
    pictures: Annotated[int, typer.Option(help="Pictures to learn from.")] = 4000,
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
        "net": "toy_saliency", "version": VERSION, "pictures": pictures, "steps": steps, "lr": LR,
        "seed": 0, "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip
    save_measured(
        net.model,
        facts,
        out,
        results / "saliency.json",
        lambda: {"images": images, "measured_on": "world 0, standard, val", **figures(net, images)},
    )


if __name__ == "__main__":
    typer.run(main)
