"""Pictures of the chapter on lessons without labels: two views of an image, and a climb."""

import torch
from toy_figures import CAM, fresh, stages, toy

from wsss_lib.blocks.maps.ascent import climb
from wsss_lib.blocks.maps.class_maps import normalize, resize
from wsss_lib.methods.image_level.self_supervised.advcam import AdvCAM
from wsss_lib.methods.image_level.self_supervised.seam import SEAM
from wsss_lib.show import Picture, show_maps


def two_views(id: str) -> Picture:
    """The maps of an image and of its half-size copy, from CAM and from SEAM."""
    image, tags = toy().image(id)[None], toy().tags(id)[None]
    half = resize(image, (image.shape[-2] // 2, image.shape[-1] // 2))
    cam, seam = (stages(kind)[-1].method.cpu().eval() for kind in (CAM, SEAM))
    assert isinstance(cam, CAM)
    assert isinstance(seam, SEAM)
    maps = {}
    with torch.inference_mode():
        for name, view in {"": image, ", half": half}.items():
            maps[f"CAM{name}"] = normalize(cam.class_maps(view), tags)[0]
            maps[f"SEAM{name}"] = normalize(seam.look(view)[0], tags)[0]
    order = ["CAM", "CAM, half", "SEAM", "SEAM, half"]
    return show_maps(image[0], {name: maps[name] for name in order}, toy().classes)


def climber() -> AdvCAM:
    """AdvCAM with the weights of CAM: it is trained alike."""
    method = fresh(AdvCAM)
    assert isinstance(method, AdvCAM)
    method.load_state_dict(stages(CAM)[-1].method.state_dict())
    return method.cpu().eval()


def on_the_way(id: str, climbs: tuple[int, ...] = (0, 5, 10)) -> Picture:
    """What counts before, during and after a climb: maps on one scale, not yet added up."""
    method, image, tags = climber(), toy().image(id)[None], toy().tags(id)
    wanted = tags.nonzero().flatten()[:1]
    start = torch.stack([image, image.flip(-1)], dim=1)
    maps, hold = {}, method.brake(wanted)
    for count in climbs:
        _, top = climb(
            lambda x: method.look(x, wanted), start, count, method.step, hold, method.counts
        )
        with torch.inference_mode():
            maps[f"{count} climbs"] = method.look(top, wanted)[0][0]
    first = maps[f"{climbs[0]} climbs"].max()
    size = (image.shape[-2], image.shape[-1])
    shown = {name: resize((m / first)[None, None], size)[0, 0] for name, m in maps.items()}
    return show_maps(image[0], shown, toy().classes, limits=(0.0, 1.2))
