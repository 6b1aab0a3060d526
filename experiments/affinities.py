"""What else could carry MCTformer's maps over an object: other affinities, with the same weights.

The paper takes one step along the attention between patches, averaged over all layers. Whether that
helps on a small transformer, and what does, is asked of one training in each world.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.contenders import Maker, Place, asked_again, contend, refined
from wsss_lib.blocks.affinity.attention import attention_affinity
from wsss_lib.blocks.affinity.class_tokens import patch_affinity
from wsss_lib.engine import Stage
from wsss_lib.methods.image_level.affinity.affinitynet import AffinityNet
from wsss_lib.methods.image_level.affinity.mctformer import MCTformer
from wsss_lib.methods.refine.pamr import PAMR

Affinity = Callable[[Tensor, Tensor], Tensor]
"""(B, D, h, w) patches, (layers, B, N, N) attention between them -> (B, N, N), rows sum to one."""


def balanced(patches: Tensor, attention: Tensor) -> Tensor:
    """Columns sum to one as well, as in CLIP-ES: no patch is looked at by all."""
    affinity = attention_affinity(attention.mean(dim=0))
    return affinity / affinity.sum(dim=2, keepdim=True)


def cosine(power: int) -> Affinity:
    """A power of the cosine between the features of patches."""

    def affinity(patches: Tensor, attention: Tensor) -> Tensor:
        unit = F.normalize(patches.flatten(2), dim=1)
        alike = (unit.mT @ unit).clamp(min=0) ** power
        return alike / alike.sum(dim=2, keepdim=True)

    return affinity


AFFINITIES: dict[str, Affinity] = {
    "first_layer": lambda patches, attention: attention[0],
    "two_layers": lambda patches, attention: attention[:2].mean(dim=0),
    "last_layer": lambda patches, attention: attention[-1],
    "balanced": balanced,
    "cosine": cosine(8),
}


class OtherAffinity(MCTformer):
    """MCTformer whose maps take their step along another affinity, given as ``along``."""

    along: Affinity

    def affinity(self, patches: Tensor, attention: Tensor) -> Tensor:
        """(B, N, N), rows sum to one."""
        between = [patch_affinity(layer, self.head.out_channels) for layer in attention]
        return self.along(patches, torch.stack(between))


def read_out(answer: str, along: Affinity | None = None) -> Callable[[Place], Stage]:
    """What a trained MCTformer says where it is asked otherwise.

    Args:
        answer: "attention", "fused", which the system itself answers here, or "refined".
        along: the affinity of the refinement; None keeps the paper's.
    """
    name = next((known for known, one in AFFINITIES.items() if one is along), answer)

    def stage(place: Place) -> Stage:
        method = place.make(OtherAffinity if along else MCTformer)
        method.answer = answer
        if along:
            method.along = along
        return asked_again(contend("mctformer", place), method, place, name)

    return stage


def learned(place: Place) -> Stage:
    """AffinityNet, taught by the fused maps and applied to them: an affinity that was trained."""
    method = place.make(AffinityNet)
    return place.run(method, ("tags",), contend("mctformer", place).scores)


READ_OUTS: dict[str, Maker] = {
    "mctformer_attention": Maker(MCTformer.card, read_out("attention")),
    "mctformer_refined": Maker(MCTformer.card, read_out("refined")),
    **{
        f"mctformer_{name}": Maker(MCTformer.card, read_out("refined", one))
        for name, one in AFFINITIES.items()
    },
    "mctformer_pamr": Maker(PAMR.card, refined("mctformer")),
    "mctformer_affinitynet": Maker(AffinityNet.card, learned),
}
"""Contenders that share the training of MCTformer."""
