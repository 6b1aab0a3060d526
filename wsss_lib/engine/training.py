"""The only training loop."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from torch.utils.data import DataLoader

from wsss_lib.core import InputError, Method
from wsss_lib.data.stream import Stream
from wsss_lib.data.view import WeakView, collate
from wsss_lib.engine.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from wsss_lib.engine.fingerprint import fields_of, fingerprint, settings_of, what_is_seen
from wsss_lib.engine.freeze import frozen
from wsss_lib.engine.inference import check_answer
from wsss_lib.engine.meter import PeakMemory
from wsss_lib.engine.optimise import make_optimizer, schedule, seed_everything
from wsss_lib.engine.processes import Losses, accelerator_for, bar_of, device_of, share_of

SAVE_SECONDS = 300.0
"""So much may be lost where a job is stopped, however long a step takes."""


@dataclass(frozen=True)
class Fitted:
    """How a training went.

    Attributes:
        steps: steps of the whole training, those before a resume included.
        losses: mean of each loss term over the last tenth of the steps that were run now.
        seconds: wall-clock time of the steps, those before a resume included.
        peak_memory_mb: memory taken on top of what was in use before.
    """

    steps: int
    losses: dict[str, float]
    seconds: float
    peak_memory_mb: float


def fit(
    method: Method,
    view: WeakView,
    *,
    seed: int = 0,
    folder: Path | str | None = None,
    save_every: int = 100,
    workers: int = 0,
    cpu: bool = False,
) -> Fitted:
    """Train a method by its recipe.

    Args:
        method: its weights are changed in place; it ends in evaluation mode, where it was before.
        view: what it may see.
        seed: of the order, the augmentation and whatever the method draws.
        folder: keeps a checkpoint there, and goes on from the one it finds.
        save_every: steps between checkpoints; slow ones are saved after five minutes as well.
        workers: processes that read images.
        cpu: stay on the CPU even where a GPU is present.

    Raises:
        InputError: an empty view, a method for another number of classes, a checkpoint of another
            training, or a loss that is not finite.
    """
    recipe, steps = method.recipe, method.recipe.steps
    if steps == 0:
        return Fitted(0, {}, 0.0, 0.0)
    if len(view) == 0:
        raise InputError(f"{method.card.id}: the view {view.name} holds no images to train on.")
    accelerator = accelerator_for(recipe, cpu)
    share, weight = share_of(method, recipe, accelerator)
    optimizer = make_optimizer(method, recipe)
    base_rates = [group["lr"] for group in optimizer.param_groups]
    checkpoint = Path(folder) / CHECKPOINT if folder is not None else None
    settings = settings_of(method)
    purpose = fingerprint(
        recipe=fields_of(recipe), seed=seed, settings=settings, **what_is_seen(view)
    )
    home = device_of(method)
    method.to(accelerator.device)
    done, earlier = 0, 0.0
    if checkpoint:
        done, earlier = load_checkpoint(checkpoint, method, optimizer, purpose, accelerator.scaler)
    if done == 0:
        check_answer(method, view, accelerator.device)
    model, optimizer = accelerator.prepare(Losses(method), optimizer)
    per_step = recipe.batch_size * recipe.accumulate
    stream = Stream(view, recipe, seed, steps * per_step)
    starts = range(done * per_step, steps * per_step, recipe.batch_size)
    parts = [list(range(start, start + recipe.batch_size)[share]) for start in starts]
    loader: Any = DataLoader(stream, batch_sampler=parts, collate_fn=collate, num_workers=workers)
    history: list[dict[str, float]] = []
    start, spent, saved = time.perf_counter(), earlier, time.monotonic()
    method.train()
    with (
        frozen(method, recipe),
        PeakMemory(accelerator.device) as memory,
        bar_of(accelerator, total=steps, initial=done, desc=method.card.id) as bar,
    ):
        for number, batch in enumerate(loader, start=done * recipe.accumulate):
            # What a method draws depends on the step alone, so resuming draws it again; processes
            # see other images and draw anew for them.
            own = number * accelerator.num_processes + accelerator.process_index
            seed_everything((seed * 1_000_003 + own) % 2**32)
            method.progress = done / steps
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * schedule(recipe, method.progress)
            with accelerator.accumulate(model):
                terms = model(batch.to(accelerator.device))
                total = torch.stack(list(terms.values())).sum()
                if not torch.isfinite(total):
                    values = {name: float(term.detach()) for name, term in terms.items()}
                    raise InputError(
                        f"{method.card.id}: the loss is not finite at step {done} ({values}); "
                        "lower the learning rate or look for images without labels."
                    )
                accelerator.backward(total * weight)
                optimizer.step()
                optimizer.zero_grad()
            if not accelerator.sync_gradients:
                continue
            history.append({name: weight * float(term.detach()) for name, term in terms.items()})
            done += 1
            bar.update()
            if done % 20 == 0:
                bar.set_postfix({name: f"{value:.3f}" for name, value in history[-1].items()})
            spent = earlier + time.perf_counter() - start
            due = done % save_every == 0 or done == steps
            due = due or time.monotonic() - saved > SAVE_SECONDS
            if checkpoint and due and accelerator.is_main_process:
                save_checkpoint(
                    checkpoint, method, optimizer, purpose, done, spent, accelerator.scaler
                )
                saved = time.monotonic()
    accelerator.wait_for_everyone()  # nobody looks for the checkpoint before it is there
    method.progress = 1.0
    method.eval().to(home)
    recent = gather_object(history[-max(1, steps // 10) :])  # of all processes
    losses = {name: float(np.mean([step[name] for step in recent])) for name in (recent or [{}])[0]}
    return Fitted(steps, losses, spent, memory.peak_mb if history else 0.0)
