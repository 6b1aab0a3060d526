"""What a trained system shows of an image beside its scores; stored with its maps.

Each function answers (h, w) tensors in [0, 1] by title, at the resolution at which they were made.
Label images are (H, W), stored as value / 255.
Titles that end in ":c" belong to class c of 1..C.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.augment.erase import look_again
from wsss_lib.blocks.maps.ascent import climb
from wsss_lib.blocks.maps.class_maps import normalize, resize
from wsss_lib.core import Batch


def rounds(method: Any, batch: Batch) -> dict[str, Tensor]:
    """AE-PSL: what the classifier of each round finds, as label images."""
    _, regions, _ = look_again(method.classifiers(), batch.image, _tags(batch), method.hot)
    found = {}
    for number, region in enumerate(regions, 1):
        peak, winner = region[0].max(dim=0)
        found[f"round {number}"] = torch.where(peak > 0, winner + 1, 0) / 255
    return found


def draws(method: Any, batch: Batch) -> dict[str, Tensor]:
    """FickleNet: maps of single draws for the first class of the image."""
    generator = torch.Generator().manual_seed(0)
    label = int(_tags(batch)[0].nonzero()[0])
    parts = method.parts(batch.image)
    maps = [normalize(method.draw(parts, 1, generator))[:, label : label + 1] for _ in range(4)]
    return {f"draw {n}:{label + 1}": one[0, 0] for n, one in enumerate(maps, 1)}


def dilations(method: Any, batch: Batch) -> dict[str, Tensor]:
    """MDC: the map of each branch for the first class of the image."""
    label = int(_tags(batch)[0].nonzero()[0])
    maps = [normalize(one)[0, label] for one in method.class_maps(batch.image)]
    apart = [branch.dilation[0] for branch in method.branches]
    return {f"dilation {n}:{label + 1}": one for n, one in zip(apart, maps, strict=True)}


def likeness(method: Any, batch: Batch) -> dict[str, Tensor]:
    """LPCAM: how much each place is like the prototypes of the first class, of either kind."""
    label = int(_tags(batch)[0].nonzero()[0])
    maps = zip(("class", "context"), method.alike(batch.image), strict=True)
    return {f"like the {kind}:{label + 1}": one[0, label].relu() for kind, one in maps}


def boundary(method: Any, batch: Batch) -> dict[str, Tensor]:
    """IRNet: where the network sees a boundary between classes."""
    return {"boundary": method.relations.boundary(batch.image)[0, 0]}


def half_size(look: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Batch], dict[str, Tensor]]:
    """Class maps of the image and of its half-size copy, each divided by its maximum."""

    def shown(method: Any, batch: Batch) -> dict[str, Tensor]:
        image, tags = batch.image, _tags(batch)
        half = resize(image, (image.shape[-2] // 2, image.shape[-1] // 2))
        found = {}
        for title, view in {"whole size": image, "half size": half}.items():
            maps = normalize(look(method, view), tags)
            for c in tags[0].nonzero().flatten().tolist():
                found[f"{title}:{c + 1}"] = maps[:, c : c + 1][0, 0]
        return found

    return shown


def climbs(method: Any, batch: Batch) -> dict[str, Tensor]:
    """AdvCAM: the map of the first class before, halfway up and after the climb, on one scale."""
    wanted = _tags(batch)[0].nonzero().flatten()[:1]
    start = torch.stack([batch.image, batch.image.flip(-1)], dim=1)
    maps = {}
    for count in (0, method.climbs // 2, method.climbs):
        with torch.enable_grad():
            _, top = climb(
                lambda x: method.look(x, wanted), start, count, method.step, method.brake(wanted),
                method.counts,
            )  # fmt: skip
        maps[f"{count} climbs:{int(wanted) + 1}"] = method.look(top, wanted)[0][0]
    most = max(float(one.max()) for one in maps.values())
    return {title: one / most for title, one in maps.items()}


def next_labels(method: Any, batch: Batch) -> dict[str, Tensor]:
    """1-stage: the labels that the network would teach itself next, without PAMR and with it."""
    logits, kept = method.net(batch.image), method.iterations
    found = {}
    for title, iterations in (("its own masks", 0), ("after PAMR", kept)):
        method.iterations = iterations
        said = method.own_labels(batch.image, logits, _tags(batch)).float()
        found[title] = F.interpolate(said[None], batch.image.shape[-2:])[0, 0] / 255
    method.iterations = kept
    return found


def lesson(method: Any, batch: Batch) -> dict[str, Tensor]:
    """RRM and AA+LR: the labels that the classifier would make next, and what the network says."""
    maps = method.classifier(method.backbone(batch.image)[-1])
    labels, _ = method.own_labels(batch.image, maps, _tags(batch))
    said = method.net(batch.image).argmax(dim=1)
    return {"reliable labels": labels[0].float() / 255, "its answer": said[0].float() / 255}


def saliency(method: Any, batch: Batch) -> dict[str, Tensor]:
    """EPS: the saliency map that it learned from."""
    return {"saliency": batch.require("saliency", method.card.id)[0, 0]}


ILLUSTRATIONS: dict[str, Callable[[Any, Batch], dict[str, Tensor]]] = {
    "ae_psl": rounds,
    "ficklenet": draws,
    "lpcam": likeness,
    "mdc": dilations,
    "irnet": boundary,
    "cam": half_size(lambda method, view: method.class_maps(view)),
    "seam": half_size(lambda method, view: method.look(view)[0]),
    "advcam": climbs,
    "onestage": next_labels,
    "rrm": lesson,
    "aalr": lesson,
    "eps": saliency,
}


def _tags(batch: Batch) -> Tensor:
    tags: Tensor = batch.require("tags", "an illustration")
    return tags.float()
