"""Pictures of one-stage systems: labels that a network gives itself, and tokens that grow alike."""

import torch
import torch.nn.functional as F
from toy_figures import stages, toy

from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.methods.image_level.online.onestage import OneStage
from wsss_lib.nets.backbones.toy import toy_vit
from wsss_lib.show import Picture, show_labels, show_maps


def own_labels(id: str) -> Picture:
    """Labels that the trained network would teach itself next, without PAMR and with it."""
    method = stages(OneStage)[-1].method
    image, tags = toy().image(id)[None], toy().tags(id)[None]
    size = (image.shape[-2], image.shape[-1])
    labels = {}
    with torch.inference_mode():
        logits = method.net(image)
        for title, iterations in (("its masks", 0), ("after PAMR", method.iterations)):
            method.iterations = iterations
            said = method.own_labels(image, logits, tags).float()
            labels[title] = F.interpolate(said[None], size, mode="nearest")[0, 0].long()
    return show_labels(image[0], {**labels, "truth": toy().mask(id)}, toy().classes)


def likeness(id: str, row: int, column: int) -> Picture:
    """Cosine between one patch and all others, after each layer of the pretrained transformer."""
    image = toy().image(id)
    with torch.inference_mode():
        layers = toy_vit().eval()(image[None])
    maps = {}
    for number, tokens in enumerate(layers, 1):
        unit = F.normalize(tokens[0], dim=0)
        cosine = torch.einsum("dhw,d->hw", unit, unit[:, row, column])
        maps[f"layer {number}"] = resize(cosine[None, None], (64, 64))[0, 0].clamp(0, 1)
    return show_maps(image, maps)


__all__ = ["OneStage", "likeness", "own_labels"]
