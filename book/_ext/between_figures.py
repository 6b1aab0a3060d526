"""Pictures of what two images of one class have in common."""

import torch
import torch.nn.functional as F
from stored_figures import world
from torch import Tensor

from wsss_lib.blocks.affinity.coattention import co_attend
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.show import Panel, Picture, show_grid

SHARPNESS = 8.0
"""Factor of the cosines in front of the softmax."""
PARTS = {"its head": 1, "its body": 2, "its ground": 0}
"""Regions of the first image, by their number among the parts."""


def first_pair(name: str) -> tuple[str, str]:
    """The first two training images that show this class and no other."""
    data = world()
    wanted = [data.classes.index(name)]
    alone = (id for id in data.ids if data.tags(id).nonzero().flatten().tolist() == wanted)
    return next(alone), next(alone)


def directions(images: Tensor) -> Tensor:
    """(2, 3, H, W) -> (2, D, h, w): features of the toy ImageNet about their mean, of length 1."""
    with torch.inference_mode():
        features = toy_cnn().eval()(images)[-1]
    return F.normalize(features - features.mean(dim=(0, 2, 3), keepdim=True), dim=1)


def pair_figure(name: str) -> Picture:
    """Where the parts of one image look in another of the same class, on the mean."""
    data, ids = world(), first_pair(name)
    images = torch.stack([data.image(id) for id in ids])
    one, other = directions(images)[:, None]
    h, w = one.shape[-2:]
    places = torch.eye(h * w).view(1, h * w, h, w)
    looks = co_attend(SHARPNESS * one, other, places)[0]  # (N of the other, h, w)
    parts = data.layer("Parts", ids[0])
    rows: dict[str, list[Panel]] = {"one image": [], "looks here in the other": []}
    for part in PARTS.values():
        region = parts == part
        weights = F.interpolate(region[None, None].float(), (h, w), mode="area")[0, 0]
        mean = (looks * weights).sum(dim=(1, 2)).view(h, w)
        rows["one image"].append(Panel(images[0], region=region))
        rows["looks here in the other"].append(Panel(images[1], mean / mean.max()))
    return show_grid(rows, heads=[*PARTS], tint="attention, over its maximum")
