"""What is left of a system where a part of its answer is left out: the same trainings, asked again.

Where a system finds less than its control, these rows say which part takes it away.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from experiments.contenders import Maker, Place, asked_again, contend
from wsss_lib.engine import Stage
from wsss_lib.methods.image_level.cam.lpcam import LPCAM
from wsss_lib.methods.image_level.ensemble.mdc import MDC


class NoContext(LPCAM):
    """LPCAM that asks how much a place is like its class, and not how much like the context."""

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w) in [-1, 1]."""
        return self.alike(image)[0]


class Near(MDC):
    """The standard branch of MDC alone."""

    def fused(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w) of the first dilation."""
        return self.class_maps(image)[0]


class Far(MDC):
    """The dilated branches of MDC alone."""

    def fused(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w), the mean of all dilations but the first."""
        return torch.stack(self.class_maps(image)[1:]).mean(dim=0)


def part(id: str, kind: type[LPCAM] | type[MDC]) -> Callable[[Place], Stage]:
    """A part of the answer of a trained system."""

    def stage(place: Place) -> Stage:
        return asked_again(contend(id, place), place.make(kind), place, kind.__name__)

    return stage


def clustered(count: int) -> Callable[[Place], Stage]:
    """LPCAM with another number of clusters; the classifier is the same."""

    def stage(place: Place) -> Stage:
        method = place.make(LPCAM)
        method.clusters = replace(method.clusters, count=count)
        return place.run(method, ("tags",))

    return stage


PARTS: dict[str, Maker] = {
    "lpcam_no_context": Maker(LPCAM.card, part("lpcam", NoContext)),
    "lpcam_4_clusters": Maker(LPCAM.card, clustered(4)),
    "lpcam_24_clusters": Maker(LPCAM.card, clustered(24)),
    "mdc_near": Maker(MDC.card, part("mdc", Near)),
    "mdc_far": Maker(MDC.card, part("mdc", Far)),
}
"""Contenders that share the training of LPCAM and of MDC."""
