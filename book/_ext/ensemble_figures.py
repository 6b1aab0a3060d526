"""Pictures of the chapter on ensembles: single draws, and their union."""

import torch
from toy_figures import stages, toy

from wsss_lib.blocks.maps.class_maps import normalize, resize
from wsss_lib.methods.image_level.ensemble.ficklenet import FickleNet
from wsss_lib.show import Picture, show_maps


def draws_figure(id: str, count: int = 4) -> Picture:
    """Maps of single draws of FickleNet for the first class of an image, and their maximum."""
    method = stages(FickleNet)[-1].method
    assert isinstance(method, FickleNet)
    image, tags = toy().image(id), toy().tags(id)
    label = int(tags.nonzero()[0])
    generator = torch.Generator().manual_seed(0)
    size = (image.shape[-2], image.shape[-1])
    with torch.inference_mode():
        parts = method.parts(image[None])
        maps = [normalize(method.draw(parts, 1, generator)) for _ in range(method.passes)]
    shown = {f"draw {n + 1}": maps[n] for n in range(count)}
    shown[f"maximum of {len(maps)}"] = torch.stack(maps).amax(dim=0)
    panels = {title: resize(value, size)[0, label] for title, value in shown.items()}
    return show_maps(image, panels, columns=count + 2)
