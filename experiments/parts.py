"""What is left of a system where a part is left out: of its answer, or of its training.

Where a system finds less than its control, these rows say which part takes it away.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor

from experiments.contenders import (
    Maker,
    Place,
    asked_again,
    beco_with,
    contend,
    made_with,
    run_as,
    where_salient,
)  # fmt: skip
from wsss_lib.blocks.augment.erase import hot_mask
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, normalize
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Method, Recipe
from wsss_lib.engine import Stage
from wsss_lib.methods.image_level.affinity.edam import EDAM
from wsss_lib.methods.image_level.affinity.mcis import MCIS
from wsss_lib.methods.image_level.cam.lpcam import LPCAM
from wsss_lib.methods.image_level.cooccurrence.conta import CONTA
from wsss_lib.methods.image_level.ensemble.mdc import MDC
from wsss_lib.methods.image_level.erasing.seenet import SeeNet
from wsss_lib.methods.image_level.erasing.two_phase import TwoPhase
from wsss_lib.methods.image_level.extra_supervision.beco import BECO
from wsss_lib.methods.image_level.extra_supervision.benet import BENet
from wsss_lib.methods.image_level.extra_supervision.guided_labels import GuidedLabels
from wsss_lib.methods.image_level.extra_supervision.i2crc import I2CRC
from wsss_lib.methods.image_level.extra_supervision.sance import SANCE
from wsss_lib.methods.image_level.extra_supervision.ssnet import SSNet
from wsss_lib.methods.image_level.self_supervised.cpn import CPN
from wsss_lib.methods.image_level.self_supervised.l2g import L2G
from wsss_lib.methods.image_level.self_supervised.puzzle_cam import PuzzleCAM
from wsss_lib.methods.image_level.self_supervised.sipe import SIPE
from wsss_lib.methods.image_level.self_supervised.split_merge import SplitMerge
from wsss_lib.nets.backbones.backbone import Backbone


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


class FirstPhase(TwoPhase):
    """The frozen network of Two-Phase alone."""

    def looks(self, image: Tensor, tags: Tensor | None) -> list[Tensor]:
        """(B, 3, H, W) -> raw maps (B, C, h, w)."""
        return super().looks(image, tags)[:1]


class SecondPhase(TwoPhase):
    """The network of Two-Phase that does not see what the first one found, alone."""

    def looks(self, image: Tensor, tags: Tensor | None) -> list[Tensor]:
        """(B, 3, H, W) -> raw maps (B, C, h, w)."""
        return super().looks(image, tags)[1:]


class FirstBranch(SeeNet):
    """The plain classifier of SeeNet alone."""

    def looks(self, image: Tensor, tags: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, H, W) -> raw maps (B, C, h, w), the first in place of the second."""
        first, _, third = super().looks(image, tags)
        return first, first, third


class SecondBranch(SeeNet):
    """The branch of SeeNet that sees the rest, alone."""

    def looks(self, image: Tensor, tags: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, H, W) -> raw maps (B, C, h, w), the second in place of the first."""
        _, second, third = super().looks(image, tags)
        return second, second, third


class NoPrior(SeeNet):
    """SeeNet whose second branch sees likely background as it is."""

    def looks(self, image: Tensor, tags: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 3, H, W) -> raw maps (B, C, h, w) of the three branches."""
        first, _, third = super().looks(image, tags)
        seen = 1 - hot_mask(normalize(first, tags), self.high)
        return first, self.second(seen * self.backbone(image)[-1].relu()), third


class NoThird(SeeNet):
    """SeeNet without the branch that has to find nothing."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification of the first two branches."""
        terms = super().loss(batch)
        return {name: terms[name] for name in ("first", "second")}


class Contextless(CONTA):
    """CONTA that is asked without its context map."""

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """CONTA of the toy world, whose class maps come from the features alone."""
        method = super().toy(num_classes, backbone)
        method.context.gain = 0.0
        return method


class General(SIPE):
    """The class maps of SIPE's classifier, asked as its image-specific maps are."""

    def specific(self, general: Tensor, compared: Tensor, features: Tensor) -> Tensor:
        """(B, K, h, w) -> the same."""
        return general


class SalientL2G(L2G):
    """L2G that is told the saliency map again when it answers, as its control is."""

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W)."""
        return where_salient(super().predict(batch), batch)


class Unwalked(SANCE):
    """The segmentation branch of SANCE alone, refined and weighed as SANCE's answer is."""

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W), each class against the background."""
        logits, _ = self.net(batch.image)
        refined = pamr(batch.image, logits.softmax(dim=1), self.dilations)
        return keep_present(foreground_scores(refined), batch.tags)


def part(id: str, kind: type[Method], **settings: Any) -> Callable[[Place], Stage]:
    """A part of the answer of a trained system, or another answer that its settings give."""

    def stage(place: Place) -> Stage:
        method = made_with(place, kind, settings)
        folder = "_".join([kind.__name__, *settings])
        return asked_again(contend(id, place), method, place, folder)

    return stage


def clustered(count: int) -> Callable[[Place], Stage]:
    """LPCAM with another number of clusters; the classifier is the same."""

    def stage(place: Place) -> Stage:
        method = place.make(LPCAM)
        method.clusters = replace(method.clusters, count=count)
        return place.run(method, ("tags",))

    return stage


def trained_with(kind: Any, **settings: Any) -> Callable[[Place], Stage]:
    """A system with other settings, those of its paper or with a term left out."""

    def stage(place: Place) -> Stage:
        method = made_with(place, kind, settings)
        scores = contend("cam", place).scores if method.card.needs_scores else None
        return place.run(method, method.card.supervision, scores)

    return stage


PARTS: dict[str, Maker] = {
    "mcis_shared": Maker(MCIS.card, part("mcis", MCIS, answer="shared")),
    "edam_mask": Maker(EDAM.card, part("edam", EDAM, answer="mask")),
    "lpcam_no_context": Maker(LPCAM.card, part("lpcam", NoContext)),
    "lpcam_4_clusters": Maker(LPCAM.card, clustered(4)),
    "lpcam_24_clusters": Maker(LPCAM.card, clustered(24)),
    "mdc_near": Maker(MDC.card, part("mdc", Near)),
    "mdc_far": Maker(MDC.card, part("mdc", Far)),
    "two_phase_first": Maker(TwoPhase.card, part("two_phase", FirstPhase)),
    "two_phase_second": Maker(TwoPhase.card, part("two_phase", SecondPhase)),
    "seenet_first": Maker(SeeNet.card, part("seenet", FirstBranch)),
    "seenet_second": Maker(SeeNet.card, part("seenet", SecondBranch)),
    "seenet_no_prior": Maker(SeeNet.card, run_as(NoPrior)),
    "seenet_no_third": Maker(SeeNet.card, run_as(NoThird)),
    "conta_contextless": Maker(CONTA.card, part("conta", Contextless)),
    "benet_as_walked": Maker(BENet.card, part("benet", BENet, dilations=())),
    "sance_unwalked": Maker(SANCE.card, part("sance", Unwalked)),
    "beco_no_asking": Maker(BECO.card, beco_with(share=1.0)),
    "beco_no_pasting": Maker(BECO.card, beco_with(mixed=0.0)),
    "puzzle_cam_apart": Maker(PuzzleCAM.card, trained_with(PuzzleCAM, agree=0.0)),
    "cpn_background": Maker(CPN.card, trained_with(CPN, background=True)),
    "l2g_saliency": Maker(L2G.card, part("l2g", SalientL2G)),
    "l2g_fast": Maker(
        L2G.card, trained_with(L2G, recipe=Recipe.toy(steps=300, lr=5e-3, head_factor=2))
    ),
    "sipe_general": Maker(SIPE.card, part("sipe", General)),
    "split_only": Maker(SplitMerge.card, trained_with(SplitMerge, weights=(1.0, 0.0))),
    "merge_only": Maker(SplitMerge.card, trained_with(SplitMerge, weights=(0.0, 1.0))),
    "guided_labels_half": Maker(GuidedLabels.card, trained_with(GuidedLabels, salient=0.5)),
    "ssnet_half": Maker(SSNet.card, trained_with(SSNet, salient=0.5)),
    "i2crc_whole": Maker(I2CRC.card, trained_with(I2CRC, background=1.0)),
}
"""What is left, what a system is without one of its ideas, or as its paper sets it."""
