"""Asking a method about every image of a view."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from wsss_lib.blocks.maps.cam import multi_scale_mean
from wsss_lib.core import Batch, InputError, Method
from wsss_lib.data.store import LabelStore, ScoreStore
from wsss_lib.data.view import WeakView, collate
from wsss_lib.engine.processes import bar_of, device_of

MOST_PIXELS = 2 * 513**2
"""Of images that are asked about together; small ones are many, large ones go alone."""
_DISAGREE = re.compile("must match|shape|broadcast")
"""What PyTorch says of tensors that do not fit together."""


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


def check_answer(method: Method, view: WeakView, device: torch.device) -> None:
    """Let a method answer one image before it is trained for hours.

    Raises:
        InputError: it cannot, or answers for another number of classes.
    """
    count = len(view.classes)
    method.eval()
    try:
        with torch.inference_mode():
            _looked_at(method, view[0].to(device), count, (1.0,), False)
    except RuntimeError as error:
        if not _DISAGREE.search(str(error)):
            raise
        raise InputError(
            f"{method.card.id} cannot answer image {view.ids[0]!r} of {view.name} ({error}). Was "
            f"it made for its {count} classes?"
        ) from error


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
                f"{expected}: the data have {num_classes} classes."
            )
        return answers

    return multi_scale_mean(look, batch.image, scales, flip)


def same_size_batches(images: Iterable[Batch]) -> Iterator[Batch]:
    """Join neighbouring images of equal size into batches of at most ``MOST_PIXELS``."""
    for shape, alike in groupby(images, key=lambda one: one.image.shape):
        together = max(1, MOST_PIXELS // (shape[-2] * shape[-1]))
        while part := [*islice(alike, together)]:
            yield collate(part)
