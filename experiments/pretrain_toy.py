"""Train the toy backbones on the toy ImageNet and write their weights.

    python -m experiments.pretrain_toy            # all, about an hour
    python -m experiments.pretrain_toy toy_cnn
    python -m experiments.pretrain_toy --smoke --out /tmp/weights

The classification heads are thrown away. Weights are stored in half precision.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from wsss_lib.core import InputError
from wsss_lib.data.toy.imagenet import TASKS, toy_imagenet
from wsss_lib.data.toy.variants import VERSION
from wsss_lib.nets.backbones.mit import MiT
from wsss_lib.nets.backbones.toy import WEIGHTS, ToyCNN, toy_cnn, toy_mit, toy_vit
from wsss_lib.nets.backbones.vit import ViT
from wsss_lib.results import cpu_name, write_json

NETS: dict[str, Callable[..., ToyCNN | ViT | MiT]] = {
    "toy_cnn": toy_cnn,
    "toy_vit": toy_vit,
    "toy_mit": toy_mit,
}
TRANSFORMER = {"lr": 2e-3, "weight_decay": 0.05, "images": 8000, "distil": 5.0, "clip": 1.0}
RECIPES: dict[str, dict[str, Any]] = {
    "toy_cnn": {"steps": 3000, "lr": 5e-3, "weight_decay": 0.01, "images": 6000},
    "toy_vit": {"steps": 6000, **TRANSFORMER},
    "toy_mit": {"steps": 4000, **TRANSFORMER},
}
SHIFT = 6


def fast_bfloat16() -> bool:
    """Whether this processor computes in bfloat16, which halves the time; others emulate it.

    Emulated it is ten times slower than float32. Weights stay in float32 either way.
    """
    known = torch.cpu.get_capabilities()
    return any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the images (B, 3, H, W) and move all of them by up to ``SHIFT`` pixels."""
    mirrored = torch.rand(len(images), 1, 1, 1, generator=generator) < 0.5
    images = torch.where(mirrored, images.flip(-1), images)
    dy, dx = torch.randint(0, 2 * SHIFT + 1, (2,), generator=generator).tolist()
    h, w = images.shape[-2:]
    return F.pad(images, (SHIFT,) * 4, mode="replicate")[..., dy : dy + h, dx : dx + w]


def accuracy(net: nn.Module, head: nn.Module, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Share of right answers to each of the ``TASKS``."""
    net.eval()
    with torch.no_grad():
        logits = torch.cat([head(net(x / 255)[-1].mean(dim=(2, 3))) for x in images.split(64)])
    answers = logits.split([len(names) for names in TASKS.values()], dim=1)
    return {
        task: round((answer.argmax(dim=1) == labels[:, k]).float().mean().item(), 3)
        for k, (task, answer) in enumerate(zip(TASKS, answers, strict=True))
    }


def pretrain(
    name: str,
    steps: int,
    lr: float,
    weight_decay: float,
    images: int,
    distil: float = 0.0,
    clip: float = math.inf,
    batch_size: int = 32,
    seed: int = 0,
) -> tuple[nn.Module, dict]:
    """Train one backbone to answer all ``TASKS`` at once.

    Args:
        name: key of ``NETS``.
        steps: optimiser steps.
        lr: peak of the one-cycle learning rate.
        weight_decay: of AdamW.
        images: pictures to learn from.
        distil: weight of a second loss: each patch says what ``toy_cnn`` sees there, up to a layer
            norm, by the smooth L1 distance.
        clip: largest norm of the gradient.
        batch_size: pictures a step.
        seed: of the weights, the pictures and their order.

    Returns:
        The network, and what there is to say about its training.

    Raises:
        InputError: there is no such network.
    """  # fmt: skip
    if name not in NETS:
        raise InputError(f"no toy network is called {name!r}; choose one of {list(NETS)}.")
    start = time.perf_counter()
    torch.manual_seed(seed)
    order = torch.Generator().manual_seed(seed)
    pictures, labels = toy_imagenet(images, 2 * seed, progress=True)
    net = NETS[name](pretrained=False)
    sizes = [len(names) for names in TASKS.values()]
    head = nn.Linear(net.channels[-1], sum(sizes))
    teacher = toy_cnn(stride=net.strides[-1]).eval() if distil else None
    pupil = nn.Conv2d(net.channels[-1], teacher.channels[-1], 1) if teacher else nn.Identity()
    weights = [*net.parameters(), *head.parameters(), *pupil.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=lr, weight_decay=weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.2)
    bar = tqdm(range(steps), desc=f"pretrain {name}")
    for _ in bar:
        chosen = torch.randint(0, images, (batch_size,), generator=order)
        x = augment(pictures[chosen] / 255, order)
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
            seen = net(x)[-1]
            logits = head(seen.mean(dim=(2, 3)))
        losses = [
            F.cross_entropy(answer, labels[chosen, k])
            for k, answer in enumerate(logits.float().split(sizes, dim=1))
        ]
        if teacher:
            with torch.no_grad():
                wanted = teacher(x)[-1].movedim(1, 3)
            wanted = F.layer_norm(wanted, wanted.shape[-1:])
            losses.append(distil * F.smooth_l1_loss(pupil(seen.float()).movedim(1, 3), wanted))
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, clip)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.2f}")
    held_out = toy_imagenet(max(32, images // 8), 2 * seed + 1)
    facts = {
        "net": name, "version": VERSION, "steps": steps, "lr": lr, "images": images,
        "distil": distil, "seed": seed,
        "accuracy": accuracy(net, head, *held_out),
        "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip
    return net, facts


def save(net: nn.Module, facts: dict, folder: Path) -> Path:
    """Write the weights in half precision, with the facts in the header; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{facts['net']}.safetensors"
    halves = {
        key: value.half().contiguous() if value.is_floating_point() else value
        for key, value in net.state_dict().items()
    }
    save_file(halves, path, metadata={"facts": json.dumps(facts)})
    return path


def save_measured(
    net: nn.Module,
    facts: dict[str, Any],
    folder: Path,
    results: Path,
    figures: Callable[[], dict[str, Any]],
) -> None:
    """Write weights as ``save`` does, and the figures of what is stored beside the facts.

    Args:
        net: rounded to half precision here, so that what is measured is what is stored.
        facts: "net", and how it was trained.
        folder: where the weights go.
        results: the JSON file of its figures.
        figures: measures the rounded network.
    """
    facts = {**facts, "parameters": sum(weight.numel() for weight in net.parameters())}
    path = save(net, facts, folder)
    net.half().float()
    content = {**facts, "device": cpu_name(), "bytes": path.stat().st_size, "figures": figures()}
    write_json(results, content)


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", default=list(NETS), help=f"any of {list(NETS)}")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--smoke", action="store_true", help="a few steps, to see that it runs")
    given = parser.parse_args(arguments)
    for name in given.nets:
        if name not in NETS:
            parser.error(f"no toy network is called {name!r}; choose from {list(NETS)}")
        recipe: dict[str, Any] = RECIPES[name]
        if given.smoke:
            recipe = {**recipe, "steps": 4, "images": 32, "batch_size": 8}
        net, facts = pretrain(name, **recipe, seed=given.seed)
        tqdm.write(f"{save(net, facts, given.out)}: {json.dumps(facts)}")


if __name__ == "__main__":
    main()
