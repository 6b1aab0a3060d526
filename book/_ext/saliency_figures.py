"""Pictures of the chapter on extra supervision."""

from pathlib import Path

from toy_figures import CAM, stages, toy

from wsss_lib.methods.image_level.extra_supervision.eps import EPS
from wsss_lib.nets.large.saliency import toy_saliency
from wsss_lib.saliency import write_saliency
from wsss_lib.show import Picture, show_maps


def with_saliency() -> Path:
    """The folder of the saliency maps of the toy world, made where it is missing."""
    return write_saliency(toy(), toy_saliency())


def saliency_figure(id: str) -> Picture:
    """CAM, what the saliency network says, and EPS, which learns from it."""
    with_saliency()
    data = toy()
    cam, eps = stages(CAM)[-1], stages(EPS)[-1]
    salient = toy_saliency()(data.image(id)[None])[0].detach() * data.tags(id)[:, None, None]
    maps = {"CAM": cam.scores[id], "saliency": salient, "EPS": eps.scores[id]}
    return show_maps(data.image(id), maps, data.classes)
