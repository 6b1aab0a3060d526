"""Pictures of erasing: what each round finds, and what it leaves for the next."""

import torch
from toy_figures import stages, toy

from wsss_lib.blocks.augment.erase import erase, look_again
from wsss_lib.methods.image_level.erasing.ae_psl import AdversarialErasing
from wsss_lib.methods.image_level.erasing.cse import ClassSpecificErasing
from wsss_lib.show import Picture, overlay


def rounds_figure(id: str) -> Picture:
    """What the classifier of each round sees of an image (above) and finds in it (below)."""
    method = stages(AdversarialErasing)[-1].method
    assert isinstance(method, AdversarialErasing)
    image = toy().image(id)
    with torch.inference_mode():
        tags = toy().tags(id)[None].float()
        _, regions, _ = look_again(method.cpu().classifiers(), image[None], tags, method.hot)
    figure = Picture(figsize=(2.4 * len(regions), 4.9), layout="constrained")
    axes = figure.subplots(2, len(regions), squeeze=False)
    erased = torch.zeros_like(image[None, :1])
    for number, region in enumerate(regions):
        seen = erase(image[None], erased)[0]
        axes[0, number].imshow(seen.permute(1, 2, 0).numpy())
        axes[0, number].set_title(f"round {number + 1}", fontsize=11)
        found, winner = region[0].max(dim=0)
        axes[1, number].imshow(overlay(seen, torch.where(found > 0, winner + 1, 0)))
        erased = erased + region.sum(dim=1, keepdim=True)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    axes[0, 0].set_ylabel("sees", fontsize=11)
    axes[1, 0].set_ylabel("finds", fontsize=11)
    return figure


__all__ = ["AdversarialErasing", "ClassSpecificErasing", "rounds_figure"]
