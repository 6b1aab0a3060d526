"""Losses on pairs of patch tokens, and on the tokens that stand for whole views."""

import torch.nn.functional as F
from torch import Tensor


def patch_contrast(tokens: Tensor, relations: Tensor) -> Tensor:
    """Pull patches of one label together, push patches of two labels apart.

    ``(1 - mean over positive pairs of |cos|) / 2 + (mean over negative pairs of |cos|) / 2``. As in
    the released code, the means divide by the number of pairs plus one.

    Source: ToCo (Ru et al., CVPR 2023), equation 3.

    Args:
        tokens: (B, D, h, w).
        relations: (B, N, N), 1 for positive pairs, 0 for negative ones, else left out.

    Returns:
        A scalar in [0, 1].
    """
    unit = F.normalize(tokens.flatten(2), dim=1)
    similar = (unit.transpose(1, 2) @ unit).abs()
    together, apart = (relations == 1), (relations == 0)
    pull = 1 - (similar * together).sum() / (together.sum() + 1)
    push = (similar * apart).sum() / (apart.sum() + 1)
    return (pull + push) / 2


def affinity_loss(affinity: Tensor, relations: Tensor) -> Tensor:
    """Raise the affinity of patches of one label, lower that of patches of two labels.

    ``(mean over positive pairs of 1 - A) / 2 + (mean over negative pairs of A) / 2``. As in the
    released code, the means divide by the number of pairs plus one.

    Source: AFA (Ru et al., CVPR 2022), equation 5.

    Args:
        affinity: (B, N, N) in [0, 1].
        relations: (B, N, N), 1 for positive pairs, 0 for negative ones, else left out.

    Returns:
        A scalar in [0, 1].
    """
    together, apart = (relations == 1), (relations == 0)
    pull = ((1 - affinity) * together).sum() / (together.sum() + 1)
    push = (affinity * apart).sum() / (apart.sum() + 1)
    return (pull + push) / 2


def view_contrast(
    whole: Tensor, views: Tensor, positive: Tensor, temperature: float = 0.5
) -> Tensor:
    """Pull the views that show an object towards the whole image, push the others away.

    With ``q_j = exp(g . s_j / temperature)``, each positive view j adds
    ``-log q_j / (q_j + sum of negative q)`` and each image adds ``log(1 + sum of negative q)``
    once; the sum is divided by the number of positive views.

    Source: ToCo (Ru et al., CVPR 2023), equation 6; the term of the negatives alone is in the
    released code.

    Args:
        whole: (B, D), one vector for each image, normalised here.
        views: (B, n, D), normalised here.
        positive: (B, n) booleans, or (B, n - 1) if the first view is the image itself, which always
            is positive.
        temperature: of the exponential.

    Returns:
        A scalar, the mean over images.
    """
    positive = F.pad(positive, (views.shape[1] - positive.shape[1], 0), value=True)
    cosine = (F.normalize(views, dim=2) @ F.normalize(whole, dim=1)[:, :, None])[:, :, 0]
    q = (cosine / temperature).exp()
    against = (q * ~positive).sum(dim=1, keepdim=True)
    pull = ((1 + against / q).log() * positive).sum(dim=1)
    push = (1 + against[:, 0]).log()
    return ((pull + push) / positive.sum(dim=1).clamp(min=1)).mean()
