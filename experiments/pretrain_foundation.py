"""Train the tiny foundation models on a toy world of their own and write their weights.

    python -m experiments.pretrain_foundation clip
    python -m experiments.pretrain_foundation sam --seconds 200     # again, until it is done
    python -m experiments.pretrain_foundation clip --smoke --out /tmp/weights --results /tmp/figures

A training that is cut off, by ``--seconds`` or otherwise, goes on where it was: the result is the
same. Weights are stored in half precision, figures in ``results/foundation``.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from tqdm import tqdm

from experiments.foundation.clip import clip_figures, clip_loss
from experiments.foundation.detector import detector_figures, detector_loss, made
from experiments.foundation.pictures import PICTURES, WORLD, pool
from experiments.foundation.sam import sam_figures, sam_loss
from experiments.pretrain_toy import fast_bfloat16, save
from wsss_lib.data.atomic import written_whole
from wsss_lib.data.toy.variants import VERSION
from wsss_lib.nets.large.clip import toy_clip
from wsss_lib.nets.large.hub import WEIGHTS
from wsss_lib.nets.large.sam import toy_sam
from wsss_lib.results import cpu_name, write_json


@dataclass(frozen=True)
class Task:
    """One network and its training.

    Attributes:
        make: (pretrained) -> the network; its ``model`` holds the weights.
        loss: (network, pictures, source of all chance) -> a scalar.
        figures: (network, number of pictures) -> how good it is.
        steps: of AdamW.
        lr: peak of the one-cycle learning rate.
        weight_decay: of AdamW.
        images: pictures that it is measured on.
        half: train in bfloat16 where the processor has it; SAM is slower so.
    """

    make: Callable[[bool], Any]
    loss: Callable[[Any, dict[str, Tensor], Generator], Tensor]
    figures: Callable[[Any, int], dict[str, Any]]
    steps: int
    lr: float = 1.5e-3
    weight_decay: float = 0.05
    images: int = 256
    half: bool = False


TASKS = {
    "clip": Task(toy_clip, partial(clip_loss, sentences=2), clip_figures, 6000, half=True),
    "sam": Task(toy_sam, sam_loss, sam_figures, 5000, images=128),
    "detector": Task(made, detector_loss, detector_figures, 2000, lr=1e-3),
}
EVERY = 250


def train(
    name: str, pictures: dict[str, Tensor], steps: int, path: Path, seed: int, seconds: float
) -> tuple[Any, float] | None:
    """Train a network, or go on training it.

    Args:
        name: key of ``TASKS``.
        pictures: what ``pool`` answers.
        steps: optimiser steps.
        path: where a training that is cut off keeps its state.
        seed: of the weights and all that is drawn.
        seconds: after so many it stops, to go on another time.

    Returns:
        The network and the seconds that its training took in all; None where it is not done.
    """
    task = TASKS[name]
    torch.manual_seed(seed)
    chance = Generator().manual_seed(seed)
    net = task.make(False).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=task.lr, weight_decay=task.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, task.lr, total_steps=steps, pct_start=0.2
    )
    parts = {"net": net, "optimizer": optimizer, "schedule": schedule}
    done, spent = 0, 0.0
    if path.is_file():
        state = torch.load(path, weights_only=True)
        for key, part in parts.items():
            part.load_state_dict(state[key])
        chance.set_state(state["chance"])
        done, spent = state["done"], state["spent"]
    start = time.perf_counter() - spent
    bar = tqdm(range(done, steps), desc=f"pretrain {name}", initial=done, total=steps)
    for step in bar:
        with torch.autocast("cpu", torch.bfloat16, enabled=task.half and fast_bfloat16()):
            loss = task.loss(net, pictures, chance)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}")
        took = time.perf_counter() - start
        late = took - spent > seconds
        if late or (step + 1) % EVERY == 0:
            state = {key: part.state_dict() for key, part in parts.items()}
            state |= {"chance": chance.get_state(), "done": step + 1, "spent": took}
            with written_whole(path) as partial:
                torch.save(state, partial)
        if late and step + 1 < steps:
            return None
    return net.eval(), time.perf_counter() - start


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", default=list(TASKS), help=f"any of {list(TASKS)}")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for the weights")
    parser.add_argument("--results", type=Path, default=Path("results/foundation"))
    parser.add_argument("--folder", type=Path, default=Path("runs/foundation"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--smoke", action="store_true", help="a few steps, to see that it runs")
    given = parser.parse_args(arguments)
    for name in given.nets:
        if name not in TASKS:
            parser.error(f"no foundation model is called {name!r}; choose from {list(TASKS)}")
        task = TASKS[name]
        steps, count, images = (4, 64, 64) if given.smoke else (task.steps, PICTURES, task.images)
        state = given.folder / f"{name}-{given.seed}-{steps}.pt"
        trained = train(name, pool(given.folder, count), steps, state, given.seed, given.seconds)
        if trained is None:
            tqdm.write(f"{name} is not done yet: run the same command again.")
            continue
        net, seconds = trained
        facts = {
            "net": f"toy_{name}", "version": VERSION, "world": WORLD, "pictures": count,
            "steps": steps, "lr": task.lr, "seed": given.seed, "seconds": round(seconds, 1),
            "parameters": sum(weight.numel() for weight in net.parameters()),
        }  # fmt: skip
        path = save(net.model, facts, given.out)
        # What is measured is what is stored: the weights in half precision.
        net.model.half().float()
        figures = {
            "images": images, "measured_on": "world 0, standard, val", **task.figures(net, images)
        }  # fmt: skip
        content = {**facts, "device": cpu_name(), "figures": figures, "bytes": path.stat().st_size}
        write_json(given.results / f"{name}.json", content)
        state.unlink(missing_ok=True)  # the next call begins anew
        tqdm.write(f"{path}: {json.dumps(content)}")


if __name__ == "__main__":
    main()
