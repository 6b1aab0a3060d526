"""Pictures of sub-categories, found in the pictures themselves: nothing is trained."""

import torch
from across_figures import commonest
from stored_figures import world
from torch import Tensor

from wsss_lib.blocks.labels.subclasses import find_subclasses
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.show import Panel, Picture, show_grid


def kinds(images: Tensor, count: int, each: int) -> list[list[int]]:
    """Places of the images nearest to the centre of each sub-category, the largest one first.

    Args:
        images: (n, 3, H, W) of one class.
        count: sub-categories.
        each: images of each, at most.
    """
    with torch.inference_mode():
        features = toy_cnn().eval()(images)[-1].mean(dim=(2, 3))
    owners = find_subclasses(features, torch.ones(len(images), 1), count)[:, 0]
    found = []
    for k in owners.bincount(minlength=count).argsort(descending=True).tolist():
        own = (owners == k).nonzero().flatten()
        far = (features[own] - features[own].mean(dim=0)).norm(dim=1)
        found.append(own[far.argsort()[:each]].tolist())
    return found


def kinds_figure(count: int = 3, each: int = 4) -> Picture:
    """A class by its sub-categories, in rows, and the outlines of its objects.

    The features are those that all toy systems begin with, and the class is the commonest one among
    the stored images. Of the training images, those are sorted that show this class alone.
    """
    c, data = commonest()[0], world()
    only = torch.zeros(len(data.classes))
    only[c - 1] = 1
    ids = [id for id in data.ids if torch.equal(data.tags(id).float(), only)]
    images = torch.stack([data.image(id) for id in ids])
    rows = {
        f"kind {number}": [Panel(images[n], region=data.mask(ids[n]) == c) for n in places]
        for number, places in enumerate(kinds(images, count, each), 1)
    }
    return show_grid(rows)
