"""What a map of boundaries learns from labels of boundaries."""

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
