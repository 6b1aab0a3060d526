"""Pictures of what learned relations between pixels say."""

import torch
from torch import Tensor
from toy_figures import CAM, stages, toy

from wsss_lib.blocks.affinity.class_tokens import class_attention, patch_affinity, spread
from wsss_lib.blocks.affinity.pairs import half_disc
from wsss_lib.blocks.affinity.paths import path_affinity
from wsss_lib.blocks.maps.class_maps import resize
from wsss_lib.methods.image_level.affinity.irnet import IRNet
from wsss_lib.methods.image_level.affinity.mctformer import MCTformer
from wsss_lib.show import Picture, show_maps


def present(maps: Tensor, id: str) -> Tensor:
    """Maps (C, h, w) of the classes in a picture, each divided by its maximum; others are 0."""
    maps = maps / maps.amax(dim=(1, 2), keepdim=True).clamp(min=1e-8)
    return maps * toy().tags(id)[:, None, None]


def irnet(id: str) -> Picture:
    """CAM, the boundary, and where the walk takes the scores of CAM."""
    cam, relations = stages(CAM, IRNet)
    net: IRNet = relations.method  # type: ignore[assignment]
    with torch.inference_mode():
        boundary = net.relations.boundary(toy().image(id)[None])[0, 0]
    maps = {"CAM": cam.scores[id], "boundary": boundary, "IRNet": relations.scores[id]}
    return show_maps(toy().image(id), maps, toy().classes)


def links(row: int, column: int) -> Picture:
    """A drawn boundary with a gap, and the affinities of one pixel to its neighbours."""
    boundary = torch.zeros(1, 1, 15, 15)
    boundary[..., 8] = 1.0
    boundary[..., 3:6, 8] = 0.0
    offsets = half_disc(7)
    planes = path_affinity(boundary, offsets)[0]
    near = torch.zeros(15, 15)
    near[row, column] = 1.0
    for k, (dy, dx) in enumerate(offsets):
        for sign in (1, -1):
            y, x = row + sign * dy, column + sign * dx
            if 0 <= y < 15 and 0 <= x < 15:
                near[y, x] = planes[k, row, column] if sign == 1 else planes[k, y, x]
    maps = {"boundary": boundary[0, 0].repeat_interleave(8, 0).repeat_interleave(8, 1)}
    maps["affinity to one pixel"] = near.repeat_interleave(8, 0).repeat_interleave(8, 1)
    return show_maps(torch.full((3, 120, 120), 0.5), maps)


def tokens(id: str) -> Picture:
    """What class tokens look at, the CAM of the patches, their product, and one step further."""
    net: MCTformer = stages(MCTformer)[0].method  # type: ignore[assignment]
    with torch.inference_mode():
        own, patches, attention = net.transformer(resize(toy().image(id)[None], (96, 96)))
        c, size = own.shape[1], (patches.shape[-2], patches.shape[-1])
        looks = class_attention(attention[-net.last :].mean(dim=0), c, size)
        cam = net.head(patches).relu()
        after = spread(looks * cam, patch_affinity(attention.mean(dim=0), c))
    steps = {"attention": looks, "CAM": cam, "product": looks * cam, "refined": after}
    maps = {title: present(value[0], id) for title, value in steps.items()}
    return show_maps(toy().image(id), maps, toy().classes)
