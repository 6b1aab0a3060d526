"""Pictures of one-stage systems: labels that a network gives itself, and tokens that grow alike."""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from stored_figures import chosen, gallery, label_panel, shown_classes, stored_labels, world
from torch import Tensor

from wsss_lib.blocks.labels.reliable import reliable_labels
from wsss_lib.blocks.maps.class_maps import with_background
from wsss_lib.nets.backbones.toy import toy_mit, toy_vit
from wsss_lib.nets.segmentation.branches import TOY_COLOURS
from wsss_lib.show import Panel, Picture, show_grid

TITLES = ("its own masks", "after PAMR")


def own_labels() -> Picture:
    """Labels that the trained network would teach itself next, without PAMR and with it."""
    data, rows = world(), {}
    for place, id in chosen("onestage", over="two_stages").items():
        panels = [label_panel(id, stored_labels("onestage", id, title)) for title in TITLES]
        rows[f"{place} gain"] = [*panels, Panel(data.image(id), labels=data.mask(id))]
    return show_grid(rows, [*TITLES, "truth"], classes=data.classes)


def reliable() -> Picture:
    """Labels of CAM's stored maps against two backgrounds, each after a CRF, and the sure ones."""
    data, rows = world(), {}
    for place, id in chosen("onestage", over="two_stages").items():
        image, tags = data.image(id)[None], data.tags(id)[None]
        scores = gallery("cam").scores(id, len(data.classes))[None]
        refine = partial(TOY_COLOURS, image)
        found = [
            refine(with_background(scores, power=power).clamp(min=1e-5)).argmax(dim=1)
            for power in (4, 32)
        ]
        found.append(reliable_labels(scores, tags, refine)[0])
        panels = [label_panel(id, labels[0]) for labels in found]
        rows[f"{place} gain"] = [*panels, Panel(data.image(id), labels=data.mask(id))]
    heads = ["large\nbackground", "small\nbackground", "reliable", "truth"]
    return show_grid(rows, heads, classes=data.classes)


def looks() -> Picture:
    """What a patch of an object looks at: the attention of the toy mix transformer's last layers.

    The patch is the one that holds most of the image's largest object; nothing is trained for it.
    """
    data, net, rows = world(), toy_mit().eval(), {}
    for place, id in chosen("onestage", over="two_stages").items():
        image, truth = data.image(id), data.mask(id) == shown_classes(id)[0]
        with torch.inference_mode():
            maps, products = net.attend(image[None])
        number, here = _patch_of(truth, maps[-1].shape[-2:])
        panels = [Panel(image, region=truth)]
        for layer in products:
            seen = layer[0, :, number].softmax(dim=-1).mean(dim=0)
            seen = (seen / seen.max()).view(1, 1, *maps[-1].shape[-2:])
            panels.append(Panel(image, F.interpolate(seen, truth.shape)[0, 0], region=here))
        rows[f"{place} gain"] = panels
    heads = ["truth", "last layer but one", "last layer"]
    return show_grid(rows, heads, tint="attention")


def _patch_of(truth: Tensor, grid: Sequence[int]) -> tuple[int, Tensor]:
    """The number of the patch that holds most of an object, and where it lies in the image."""
    held = F.adaptive_avg_pool2d(truth[None, None].float(), list(grid))[0, 0]
    number = int(held.argmax())
    here = torch.zeros(held.numel())
    here[number] = 1.0
    return number, F.interpolate(here.view(1, 1, *grid), truth.shape)[0, 0]


def likeness() -> Picture:
    """Cosine between a patch of an object and all others, by layer of the toy transformer.

    The patch is the one that holds most of the image's largest object; nothing is trained for it.
    """
    data, net, rows = world(), toy_vit().eval(), {}
    for place, id in chosen("toco", over="cam_vit").items():
        image, truth = data.image(id), data.mask(id) == shown_classes(id)[0]
        with torch.inference_mode():
            layers = net(image[None])
        grid = layers[0].shape[-2:]
        number, here = _patch_of(truth, grid)
        row, column = divmod(number, grid[1])
        panels = [Panel(image, region=truth)]
        for tokens in layers:
            unit = F.normalize(tokens[0], dim=0)
            cosine = torch.einsum("dhw,d->hw", unit, unit[:, row, column]).clamp(0, 1)
            panels.append(
                Panel(image, F.interpolate(cosine[None, None], truth.shape)[0, 0], region=here)
            )
        rows[f"{place} gain"] = panels
    heads = ["truth", *[f"layer {n}" for n in range(1, len(panels))]]
    return show_grid(rows, heads, tint="cosine")
