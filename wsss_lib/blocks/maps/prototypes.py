"""Prototypes: features that stand for many others, and maps of how much an image is like them."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wsss_lib.blocks.affinity.correlation import rectified_cosines, stretch
from wsss_lib.blocks.maps.class_maps import normalize, resize_like, with_background
from wsss_lib.core import InputError


def k_means(
    points: Tensor, count: int, seed: int = 0, rounds: int = 100, cosine: bool = True
) -> tuple[Tensor, Tensor]:
    """k-means: each point belongs to its nearest centre, and each centre is the mean of its points.

    Centres start at points drawn at random and become the means of what belongs to them, until no
    point changes sides. A centre that loses all its points stays where it was.

    Args:
        points: (n, D), any real values; by cosines, their lengths count in the means alone.
        count: k, the most centres; of fewer points each is a centre.
        seed: of the first centres; the same seed gives the same answer.
        rounds: after so many the search ends, come what may.
        cosine: the nearest centre is the one of the nearest direction; else the one at the least
            distance (Euclidean).

    Returns:
        centres: (min(k, n), D), means of the points, of whatever length.
        owners: (n,) index of the centre that each point belongs to.

    Raises:
        InputError: points that are no (n, D), or a count below 1.
    """
    if points.ndim != 2 or count < 1:
        raise InputError(
            f"k_means: points must be (n, D), not {tuple(points.shape)}, and count at least 1, not "
            f"{count}; of features (B, D, h, w) take .permute(0, 2, 3, 1).flatten(0, 2)."
        )
    chance = torch.Generator().manual_seed(seed)
    first = torch.randperm(len(points), generator=chance)[:count].to(points.device)
    centres = points[first]
    directions = F.normalize(points, dim=1)
    owners = torch.full((len(points),), -1, device=points.device)
    for _ in range(rounds if len(points) else 0):
        if cosine:
            nearest = (directions @ F.normalize(centres, dim=1).T).argmax(dim=1)
        else:
            nearest = torch.cdist(points, centres).argmin(dim=1)
        if torch.equal(nearest, owners):
            break
        owners = nearest
        sums = torch.zeros_like(centres).index_add_(0, owners, points)
        sizes = owners.bincount(minlength=len(centres))[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return centres, owners


def mean_cosine(features: Tensor, prototypes: Tensor) -> Tensor:
    """How much each place is like prototypes, on average.

    Args:
        features: (B, D, h, w), any real values; their lengths do not count.
        prototypes: (k, D), any real values, on any device; of none, everything is unlike.

    Returns:
        (B, h, w) in [-1, 1]; 0 without prototypes.
    """
    if not len(prototypes):
        return torch.zeros_like(features[:, 0])
    # The mean of cosines is the cosine's numerator with the mean of unit prototypes.
    mean = F.normalize(prototypes.to(features), dim=1).mean(dim=0)
    return torch.einsum("bdhw,d->bhw", F.normalize(features, dim=1), mean)


KINDS = ("object", "context")
"""What features of the images of a class may show: the class itself, or what is around it."""


def divide_features(
    looks: Iterable[tuple[Tensor, Tensor]], weights: Tensor, inside: float
) -> dict[str, Tensor]:
    """Features of the images of each class, where its class map is bright and where it is not.

    Args:
        looks: features (B, D, h, w) and tags (B, C) of some images at a time.
        weights: (C, D) of a linear classifier, whose maps of each image divide its features.
        inside: share of its own maximum that a map exceeds on the object.

    Returns:
        (n, D) by kind and class: "object 0", "context 0", and so on, of what any image has. A
        feature of an image of two classes is there for each.
    """
    found: dict[str, list[Tensor]] = {}
    for features, tags in looks:
        scores = normalize(torch.einsum("cd,bdhw->bchw", weights, features), tags)
        for b, c in tags.nonzero().tolist():
            bright = scores[b, c] > inside
            for kind, chosen in zip(KINDS, (bright, ~bright), strict=True):
                found.setdefault(f"{kind} {c}", []).append(features[b][:, chosen].T.float().cpu())
    divided = {name: torch.cat(parts) for name, parts in found.items()}
    return {name: all for name, all in divided.items() if len(all)}


@dataclass(frozen=True)
class Clustering:
    """How local prototypes are found.

    Attributes:
        count: most centres of the object's features of a class, and of its context's.
        inside: share of its own maximum that a class map exceeds on the object.
        sure: probability of its class from which a centre of the object is a prototype.
        doubtful: probabilities of the class between which a centre of the context is one.
    """

    count: int = 12
    inside: float = 0.1
    sure: float = 0.9
    doubtful: tuple[float, float] = (0.05, 0.9)


VOC = Clustering()
"""As LPCAM clusters PASCAL VOC."""


@torch.no_grad()
def local_prototypes(
    looks: Iterable[tuple[Tensor, Tensor]], weights: Tensor, how: Clustering
) -> dict[str, Tensor]:
    """Centres of the features of each class that its classifier makes something of.

    Of the object's centres those are kept that the softmax over all classes is sure of, or the
    clearest one where it is sure of none. Of the context's it keeps those that resemble the class
    without being it: they may be mistaken for the object, unlike what looks like nothing at all.

    Source: LPCAM (Chen and Sun, CVPR 2023); thresholds as in the released code.

    Args:
        looks: features (B, D, h, w) and tags (B, C) of some images at a time.
        weights: (C, D) of the classifier.
        how: the number of centres and the thresholds.

    Returns:
        (k, D) by kind and class, with the names of ``divide_features``; k may be 0 for a context.
    """
    kept, (low, high) = {}, how.doubtful
    for name, features in divide_features(looks, weights, how.inside).items():
        kind, c = name.split()
        centres, _ = k_means(features, how.count)
        known = (centres @ weights.to(centres).T).softmax(dim=1)[:, int(c)]
        chosen = (known > low) & (known < high)
        if kind == "object":
            chosen = known >= known.max().clamp(max=how.sure)
        kept[name] = centres[chosen]
    return kept


def likeness(features: Tensor, prototypes: dict[str, Tensor], kind: str, weights: Tensor) -> Tensor:
    """How much each place is like what each class has of a kind.

    Args:
        features: (B, D, h, w), any real values.
        prototypes: by kind and class, from ``local_prototypes``.
        kind: "object" or "context".
        weights: (C, D) of the classifier; a class that no image had is known by them alone, as in
            CAM.

    Returns:
        (B, C, h, w) in [-1, 1], mean cosines; 0 where a class has nothing of the kind.
    """
    maps = []
    for c, weight in enumerate(weights):
        otherwise = weight[None] if kind == "object" else weight.new_zeros(0, len(weight))
        maps.append(mean_cosine(features, prototypes.get(f"{kind} {c}", otherwise)))
    return torch.stack(maps, dim=1)


def relative_regions(maps: Tensor) -> Tensor:
    """Where a class has a larger share of a pixel than of the pixels of its image on average.

    Shares are a softmax over the classes, without background.

    Source: the regions of RCA (Zhou et al., CVPR 2022), as the released code finds them.

    Args:
        maps: (B, C, h, w) raw class maps, any real values.

    Returns:
        (B, C, h, w) booleans; a class whose share is the same everywhere has no region.
    """
    share = maps.softmax(dim=1)
    return share > share.mean(dim=(2, 3), keepdim=True)


def region_means(features: Tensor, regions: Tensor) -> Tensor:
    """The mean feature of each region (masked average pooling).

    Args:
        features: (B, D, h, w), any real values.
        regions: (B, C, h, w), 1 or True inside.

    Returns:
        (B, C, D); 0 where a region is empty.
    """
    inside = regions.to(features)
    sums = torch.einsum("bdhw,bchw->bcd", features, inside)
    return sums / inside.sum(dim=(2, 3)).clamp(min=1)[..., None]


@torch.no_grad()
def confident_prototypes(
    features: Tensor, scores: Tensor, share: float = 1 / 8
) -> tuple[Tensor, Tensor]:
    """The direction of the surest features of each class in a whole batch, weighed by its scores.

    Source: PPC (Du et al., CVPR 2022), its estimation of prototypes in a batch.

    Args:
        features: (B, D, h, w), any real values; they are given no gradient.
        scores: (B, K, h, w), non-negative, 0 where a class is known to be absent.
        share: of the h * w places of one image, so many of the batch's places are taken.

    Returns:
        prototypes: (K, D) of length one; 0 for a class without any score.
        known: (K,) booleans, whether a class has one.
    """
    count = max(1, int(share * scores[0, 0].numel()))
    weight, places = scores.transpose(0, 1).flatten(1).topk(count, dim=1)
    vectors = features.transpose(0, 1).flatten(1).T[places]  # (K, count, D)
    sums = (weight[..., None] * vectors).sum(dim=1)
    return F.normalize(sums, dim=1), weight.sum(dim=1) > 0


def labelled_pixels(
    refined: Tensor, vectors: Tensor, like: Tensor, tags: Tensor, background: float = 0.2
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The pixels of a batch one by one, the class that each seems to be of, and prototypes.

    Source: PPC (Du et al., CVPR 2022).

    Args:
        refined: (B, K, h', w'), non-negative, background first; given no gradient. Each is
            stretched to [0, 1]; its surest places make the prototype.
        vectors: (B, D, h', w'), any real values.
        like: (B, D, h, w) gives the size at which pixels are looked at.
        tags: (B, C), 1 where the class is present; others are no label and have no prototype.
        background: score that a class must exceed to be the label.

    Returns:
        (M, D) pixels, M = B * h * w, of any length, (M,) labels in 0..C, and what
        ``confident_prototypes`` answers: (K, D) and (K,).
    """
    known = torch.cat([torch.ones_like(tags[:, :1]), tags], dim=1)
    seen = resize_like(vectors, like)
    sure = stretch(resize_like(refined.detach(), like), known)
    labels = with_background(sure[:, 1:], constant=background).argmax(dim=1)
    pixels = seen.transpose(0, 1).flatten(1).T
    return pixels, labels.flatten(), *confident_prototypes(seen, sure)


def overlap_seeds(features: Tensor, scores: Tensor, background: float = 0.5) -> Tensor:
    """Each place goes to the class whose map overlaps most with what is like that place.

    The overlap of two maps with values in [0, 1] is their soft intersection over union: the sum of
    their product over the sum of both less that.

    Source: SIPE (Chen et al., CVPR 2022), its image-specific seeds; the factor of the background is
    in the released code.

    Args:
        features: (B, D, h, w), any real values; a place's map is its rectified cosine to all.
        scores: (B, K, h, w) in [0, 1], background first, 0 where a class is known to be absent.
        background: factor of the background's overlap.

    Returns:
        (B, K, h, w) of zeros and ones, one class for each place; N * N numbers are held in memory.
    """
    alike, of_classes = rectified_cosines(features), scores.flatten(2)
    shared = of_classes @ alike  # (B, K, N)
    joined = alike.sum(dim=1, keepdim=True) + of_classes.sum(dim=2, keepdim=True) - shared
    overlap = shared / joined.clamp(min=1e-5)
    overlap[:, 0] *= background
    winner = overlap.argmax(dim=1).view(len(scores), *scores.shape[2:])
    return F.one_hot(winner, scores.shape[1]).movedim(-1, 1).to(scores)


def reactivated(features: Tensor, prototypes: Tensor) -> Tensor:
    """Rectified cosine of each place to prototypes of its own image.

    Args:
        features: (B, D, h, w), any real values.
        prototypes: (B, K, D), of any length.

    Returns:
        (B, K, h, w) in [0, 1]; 0 for a prototype that is 0.
    """
    directions = F.normalize(features, dim=1), F.normalize(prototypes, dim=2)
    return torch.einsum("bdhw,bkd->bkhw", *directions).relu()
