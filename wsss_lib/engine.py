"""The only training loop, and the only way in which stages chain."""

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.utils.data import DataLoader

from wsss_lib.blocks.cam import multi_scale_flip
from wsss_lib.checkpoint import CHECKPOINT, load_checkpoint, save_checkpoint
from wsss_lib.core import Batch, InputError, Method, Recipe
from wsss_lib.data.atomic import is_first_process, written_whole
from wsss_lib.data.store import LabelStore, ScoreStore
from wsss_lib.data.stream import Stream
from wsss_lib.data.view import WeakView, collate
from wsss_lib.fingerprint import describe, fingerprint, settings_of, what_is_seen
from wsss_lib.meter import PeakMemory
from wsss_lib.processes import Losses, accelerator_for, bar_of, device_of, made_once, share_of

SAVE_SECONDS = 300.0
"""So much may be lost where a job is stopped, however long a step takes."""
MOST_PIXELS = 2 * 513**2
"""Of images that are asked about together; small ones are many, large ones go alone."""


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


@dataclass(frozen=True)
class Stage:
    """A finished stage of ``run``.

    Attributes:
        method: the trained method.
        scores: what it said of each image.
        threshold: where ``calibrate`` puts the border between background and classes.
        fitted: how its training went.
        seconds: training and prediction together, runs before a resume included.
        peak_memory_mb: the most memory that training took, runs before a resume included.
        folder: where checkpoint and scores lie.
    """

    method: Method
    scores: ScoreStore
    threshold: float | None
    fitted: Fitted
    seconds: float
    peak_memory_mb: float
    folder: Path


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
        InputError: an empty view, a checkpoint of another training, or a loss that is not finite.
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
    purpose = fingerprint(recipe=asdict(recipe), seed=seed, settings=settings, **what_is_seen(view))
    home = device_of(method)
    method.to(accelerator.device)
    done, earlier = 0, 0.0
    if checkpoint:
        done, earlier = load_checkpoint(checkpoint, method, optimizer, purpose, accelerator.scaler)
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


def infer(
    method: Method,
    view: WeakView,
    folder: Path | str,
    *,
    batch_size: int = 16,
    workers: int = 0,
    cpu: bool = False,
) -> ScoreStore:
    """Ask a method about every image of a view; images that are answered already are skipped.

    Args:
        method: a trained method.
        view: what it may see; without tags, a segmentation network is on its own.
        folder: where the scores go.
        batch_size: images of the same size that are asked about together, at most.
        workers: processes that read images.
        cpu: stay on the CPU even where a GPU is present.

    Raises:
        InputError: an answer that is not (B, C, H, W).
    """
    store = ScoreStore(folder, len(view.classes))
    answer(method, view, store, batch_size=batch_size, workers=workers, cpu=cpu)
    return store


def answer(
    method: Method,
    view: WeakView,
    store: ScoreStore | LabelStore,
    *,
    batch_size: int = 16,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
    workers: int = 0,
    cpu: bool = False,
) -> None:
    """``infer`` into any store, looking at images at several sizes and in the mirror.

    Args:
        method: a trained method.
        view: what it may see; where it is looked at several times, images alone.
        store: where the answers go.
        batch_size: images of the same size that are asked about together, at most.
        scales: factors by which images are resized; answers are averaged.
        flip: also look at the mirror image.
        workers: processes that read images.
        cpu: stay on the CPU even where a GPU is present.

    Raises:
        InputError: an answer that is not (B, C, H, W).
    """
    accelerator, home = Accelerator(cpu=cpu), device_of(method)
    device = accelerator.device
    method.to(device).eval()
    # Whole groups are asked again: the last bits of an answer depend on the batch it was part of,
    # and a resumed run should write what an uninterrupted one writes.
    groups = [
        range(len(view))[start : start + batch_size] for start in range(0, len(view), batch_size)
    ]
    todo = [group for group in groups if any(view.ids[index] not in store for index in group)]
    accelerator.wait_for_everyone()  # all must have looked before anybody answers
    todo = todo[accelerator.process_index :: accelerator.num_processes]
    order: Any = [*chain.from_iterable(todo)]
    images = iter(DataLoader(view, batch_size=None, sampler=order, num_workers=workers))
    with torch.inference_mode(), bar_of(accelerator, total=len(order), desc="predict") as bar:
        for group in todo:
            for batch in same_size_batches(islice(images, len(group))):
                answers = _looked_at(method, batch.to(device), len(view.classes), scales, flip)
                for id, scores in zip(batch.ids, answers, strict=True):
                    store.put(id, scores)
                bar.update(len(batch.ids))
    accelerator.wait_for_everyone()
    method.to(home)


def _looked_at(
    method: Method, batch: Batch, num_classes: int, scales: Sequence[float], flip: bool
) -> Tensor:
    """(B, C, H, W): the mean answer over sizes and mirror images."""

    def look(image: Tensor) -> Tensor:
        answers = method.predict(replace(batch, image=image))
        expected = (len(image), num_classes, *image.shape[-2:])
        if tuple(answers.shape) != expected:
            raise InputError(
                f"{method.card.id}: predict answered {tuple(answers.shape)}, not (B, C, H, W) = "
                f"{expected}."
            )
        return answers

    return multi_scale_flip(look, batch.image, scales, flip) / (len(scales) * (1 + flip))


def run(
    stages: Sequence[Method],
    view: WeakView,
    *,
    folder: Path | str,
    seed: int = 0,
    calibrate: Callable[[ScoreStore], float] | None = None,
    workers: int = 0,
    cpu: bool = False,
) -> list[Stage]:
    """Fit a stage, keep its scores, hand them to the next.

    Each stage has a folder of its own, named after everything that decides its result: the
    method's class, settings and initial weights, its recipe, the seed, the data and the stages
    before it. Running again after an interruption goes on where it stopped; running with other
    settings starts elsewhere. Of two processes that want the same stage, one waits for the other.

    Args:
        stages: methods in order; the first needs no scores unless the view has some.
        view: what they may see.
        folder: where checkpoints and scores go.
        seed: passed to ``fit``.
        calibrate: scores -> threshold; its choice is kept with each stage and becomes the
            threshold of a following method that has none.
        workers: processes that read images.
        cpu: stay on the CPU even where a GPU is present.

    Returns:
        One entry per stage.
    """
    accelerator = accelerator_for(Recipe(), cpu)
    for method in stages:
        if method.recipe.steps:  # who cannot be trained says so before hours are spent on others
            share_of(method, method.recipe, accelerator)
    results: list[Stage] = []
    key = fingerprint(**what_is_seen(view))
    for number, method in enumerate(stages):
        if results:
            view = view.with_scores(results[-1].scores)
            if method.threshold is None:
                method.threshold = results[-1].threshold
        key = fingerprint(before=key, seed=seed, method=describe(method))
        where = Path(folder) / f"{number}_{method.card.id}_{key}"
        with made_once(where, accelerator):
            for left in [*where.glob("*.partial"), *where.glob("scores/*.partial")]:
                left.unlink(missing_ok=True)  # of a process that was killed
            fitted = fit(method, view, seed=seed, folder=where, workers=workers, cpu=cpu)
            scores = ScoreStore(where / "scores", len(view.classes))
            answered = all(id in scores for id in view.ids)
            start = time.perf_counter()
            infer(method, view, scores.folder, workers=workers, cpu=cpu)
            now = 0.0 if answered else time.perf_counter() - start
            predicting, peak = _remember_cost(where / "cost.json", now, fitted.peak_memory_mb)
        threshold = calibrate(scores) if calibrate else None
        seconds = fitted.seconds + predicting
        results.append(Stage(method, scores, threshold, fitted, seconds, peak, where))
    return results


def _remember_cost(path: Path, predicting: float, peak_mb: float) -> tuple[float, float]:
    """Seconds of prediction and peak memory, over all runs of a stage."""
    if path.is_file():
        earlier = json.loads(path.read_text())
        predicting += earlier["predicting"]
        peak_mb = max(peak_mb, earlier["peak_memory_mb"])
    if not is_first_process():
        return predicting, peak_mb
    with written_whole(path) as partial:
        partial.write_text(json.dumps({"predicting": predicting, "peak_memory_mb": peak_mb}))
    return predicting, peak_mb


def same_size_batches(images: Iterable[Batch]) -> Iterator[Batch]:
    """Join neighbouring images of equal size into batches of at most ``MOST_PIXELS``."""
    for shape, alike in groupby(images, key=lambda one: one.image.shape):
        together = max(1, MOST_PIXELS // (shape[-2] * shape[-1]))
        while part := [*islice(alike, together)]:
            yield collate(part)


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
    """Factor of the learning rate: a linear warm-up, then the poly decay to zero."""
    if progress < recipe.warmup:
        return (progress + 1 / recipe.steps) / (recipe.warmup + 1 / recipe.steps)
    return (1 - (progress - recipe.warmup) / (1 - recipe.warmup)) ** recipe.power


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - third-party code may draw from the global generator
    torch.manual_seed(seed)
