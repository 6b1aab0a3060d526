"""What every system costs at the size of PASCAL VOC: ``python -m benchmarks.voc_size [ID...]``.

Two photographs of 513 x 513 pixels, 20 classes, networks in the shapes of the papers with random
weights (``wsss_lib.recipes``), the labels that each system learns from. Writes
``results/voc_size/<id>.json``: milliseconds per image of an answer and of a training step at the
end of the training, when all terms are at work, and the peak memory of each on top of the weights.
"""

import sys
import traceback
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from skimage.data import astronaut, chelsea
from torch import Tensor
from tqdm.auto import tqdm

from benchmarks.timing import seconds
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.core import Batch, Method
from wsss_lib.data.folder import VOC_CLASSES
from wsss_lib.data.weak import MADE, Annotator
from wsss_lib.engine import make_optimizer, seed_everything
from wsss_lib.engine.meter import PeakMemory
from wsss_lib.evaluate import Protocol
from wsss_lib.recipes import BUILDERS, build
from wsss_lib.results import write_result

SHOWN = {"cat": chelsea, "person": astronaut}
"""Classes and their photographs, which scikit-image ships."""


def ellipse(size: int) -> Tensor:
    """(size, size) bool, an object in the middle that fills a quarter of the image."""
    at = torch.linspace(-1, 1, size)
    return (at[:, None] / 0.7).square() + (at / 0.45).square() < 1


def photographs(size: int) -> Batch:
    """Both photographs with every label that a system may ask for."""
    images, masks = [], []
    for name, photograph in SHOWN.items():
        image = torch.from_numpy(photograph()).permute(2, 0, 1)[None].float() / 255
        images.append(resize(image, (size, size)).clamp(0, 1))
        masks.append(ellipse(size).long() * (VOC_CLASSES.index(name) + 1))
    drawn: dict[str, Any] = {
        kind: [Annotator().label(kind, name, m) for name, m in zip(SHOWN, masks, strict=True)]
        for kind in MADE
    }
    tags = torch.stack([torch.isin(torch.arange(1, len(VOC_CLASSES) + 1), m) for m in masks])
    objects = torch.stack(masks)[:, None] > 0
    return Batch(
        ids=tuple(SHOWN),
        image=torch.cat(images),
        tags=tags.float(),
        # Scores of an earlier stage: sure in the middle of the object, doubtful at its rim.
        scores=resize(resize(objects.float(), (33, 33)), (size, size)) * tags[:, :, None, None],
        boxes=tuple(drawn["boxes"]),
        points=tuple(drawn["points"]),
        extremes=tuple(drawn["extremes"]),
        scribble=torch.stack(drawn["scribble"]),
        saliency=objects.float(),
        captions=tuple(f"a photo of a {name}" for name in SHOWN),
    )


def cost(method: Method, batch: Batch, device: torch.device, repeats: int) -> list[dict[str, Any]]:
    """Milliseconds and MiB of an answer and of a training step, once for each repeat."""
    count = len(batch.ids)
    method.to(device).eval()

    def answer() -> None:
        with torch.inference_mode():
            method.predict(batch)

    def step() -> None:
        terms = method.loss(batch)
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    def measured(name: str, work: Callable[[], None]) -> None:
        with PeakMemory(device) as memory:  # this call warms up as well
            work()
        for run in runs:
            run[f"{name}_ms"] = 1000 * seconds(work, device) / count
            run[f"{name}_mb"] = memory.peak_mb

    weights = sum(weight.numel() for weight in method.parameters()) / 1e6
    runs: list[dict[str, Any]] = [{"weights_m": weights} for _ in range(repeats)]
    measured("answer", answer)
    if method.recipe.steps:
        method.train()
        method.progress = 0.99  # no warm-up: every term is at work
        optimizer = make_optimizer(method, method.recipe)
        measured("step", step)
    return runs


def main(
    ids: Annotated[list[str] | None, typer.Argument(help="Systems; none takes all.")] = None,
    out: Annotated[Path, typer.Option(help="Where the JSON goes.")] = Path("results/voc_size"),
    size: Annotated[int, typer.Option(help="Side of the photographs in pixels.")] = 513,
    repeats: Annotated[int, typer.Option(help="Timed calls, after one that warms up.")] = 3,
) -> None:
    """Measure time and memory at the size of PASCAL VOC.

    A system that fails costs no other its figures; the command then ends with an error.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch, failed = photographs(size).to(device), []
    for id in tqdm(ids or list(BUILDERS), desc="systems"):
        seed_everything(0)
        try:
            method = build(id, VOC_CLASSES, pretrained=False)
            method.threshold = method.threshold or 0.5
            runs = cost(method, _seen_by(method, batch), device, repeats)
        except Exception:
            traceback.print_exc()
            failed.append(id)
            continue
        protocol = Protocol(
            data="photographs of scikit-image",
            split=f"2 photographs of {size} x {size} pixels",
            labels_at_inference=method.card.uses_tags_at_inference,
            threshold_rule="none",
            supervision=method.card.supervision,
            needs=("random weights: time and memory only",),
        )
        write_result(out / f"{id}.json", id, protocol, runs)
        del method
        if device.type == "cuda":
            torch.cuda.empty_cache()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _seen_by(method: Method, batch: Batch) -> Batch:
    """What the method's supervision, and its predecessor, let it see."""
    card = method.card
    shown = {"ids", "image", "tags", *card.supervision, *(["scores"] if card.needs_scores else [])}
    return Batch(**{f.name: getattr(batch, f.name) for f in fields(Batch) if f.name in shown})


if __name__ == "__main__":
    typer.run(main)
