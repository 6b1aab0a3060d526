"""What a map of boundaries learns from labels of boundaries, and from edges."""

import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.labels.boundaries import BOUNDARY, GROUND, OBJECT


def boundary_losses(
    boundary: Tensor, labels: Tensor, doubt: float = 0.5, eps: float = 1e-4
) -> tuple[Tensor, Tensor, Tensor]:
    """Means of ``-log(1 - b)`` over background and over objects, of ``-b^doubt log b`` over edges.

    The factor ``b^doubt`` carries no gradient. Where the network sees no boundary although a label
    says so, it makes the label count less: many of them are wrong.

    Source: BES (Chen et al., ECCV 2020); the factor's power is that of the released code.

    Args:
        boundary: (B, h, w) in [0, 1].
        labels: (B, h, w) as ``boundary_labels`` gives them.
        doubt: power of the factor; 0 believes all labels alike.
        eps: keeps the logarithms finite.

    Returns:
        Three scalars: background, objects, boundaries; one without a pixel is 0.
    """
    b = boundary.clamp(eps, 1 - eps)
    none, some = -(1 - b).log(), -b.log() * b.detach() ** doubt
    parts = ((none, GROUND), (none, OBJECT), (some, BOUNDARY))
    ground, inside, edge = (
        (losses * (labels == kind)).sum() / (labels == kind).sum().clamp(min=1)
        for losses, kind in parts
    )
    return ground, inside, edge


def edge_loss(logits: Tensor, edges: Tensor) -> Tensor:
    """Cross-entropy with soft edges in which edges and all else count one half each.

    ``-1/2 sum e log b / sum e - 1/2 sum (1 - e) log(1 - b) / sum (1 - e)``, with b the sigmoid of
    the logits and sums over pixels and images: few pixels lie on edges.

    Source: HED (Xie and Tu, ICCV 2015), equation 2, which weighs two kinds of pixels by the share
    of the other; here a pixel may be of both kinds in part.

    Args:
        logits: (B, h, w), any real values.
        edges: (B, h, w) in [0, 1].

    Returns:
        A scalar; a kind of which there is less than one pixel counts less.
    """
    rest = 1 - edges
    some = (edges * F.softplus(-logits)).sum() / edges.sum().clamp(min=1)
    none = (rest * F.softplus(logits)).sum() / rest.sum().clamp(min=1)
    return (some + none) / 2
