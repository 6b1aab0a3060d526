"""Read-outs of many systems, value by value: what lies between a network and its score map."""

import itertools
import math

import torch
import torch.nn.functional as F

from wsss_lib.core import Batch


def one_at_another_size(maps, size):
    """(C, h, w) maps at a size (H, W)."""
    shrinks = size[0] < maps.shape[1] or size[1] < maps.shape[2]
    return F.interpolate(maps[None], size, mode="bilinear", antialias=shrinks)[0]


def added_maps(maps_of, image, sizes, flip=True):
    """(3, H, W) image -> (C, H, W): rectified maps at each size and of mirror images, added up.

    Args:
        maps_of: (1, 3, h, w) -> (1, C, h', w').
        image: (3, H, W).
        sizes: pairs (h, w) at which the image is looked at.
        flip: whether mirror images are looked at too.
    """
    total = 0.0
    for size in sizes:
        seen = one_at_another_size(image, size)
        maps = maps_of(seen[None])[0].detach().clamp(min=0)
        if flip:
            maps = maps + maps_of(seen.flip(-1)[None])[0].detach().clamp(min=0).flip(-1)
        total = total + one_at_another_size(maps, tuple(image.shape[1:]))
    return total


def divided_by_their_maximum(maps, tags):
    """(C, H, W) maps and (C,) tags -> present classes divided by their largest value."""
    found = torch.zeros_like(maps)
    for c in range(len(maps)):
        if tags[c] and maps[c].max() > 1e-5:
            found[c] = maps[c] / maps[c].max()
    return found


def against_the_background(weights, tags):
    """(K, H, W) weights, background first, and (C,) tags -> (C, H, W): ``w_c / (w_c + w_0)``."""
    found = torch.zeros_like(weights[1:])
    for c in range(len(found)):
        if tags[c]:
            found[c] = weights[c + 1] / (weights[c + 1] + weights[0])
    return found


def check_network_answers(method, image, known):
    """A segmentation network of three classes answers each against the background.

    Args:
        method: its ``net`` gives logits; its weights are drawn anew.
        image: (2, 3, H, W).
        known: whether it is told the tags; without them every class answers.
    """
    tags = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    chance = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in method.parameters():
            weight.normal_(generator=chance)
        said = method.predict(Batch(("a", "b"), image, tags if known else None))
        chances = method.net(image).exp()
    for b in range(2):
        wanted = against_the_background(chances[b], tags[b] if known else torch.ones(3))
        assert torch.allclose(said[b], wanted, atol=1e-5)


def soft_margin(logits, tags):
    """Mean over images and classes of the two-way cross-entropy, one at a time."""
    terms = []
    for b in range(len(logits)):
        for c in range(logits.shape[1]):
            p = logits[b, c].sigmoid()
            terms.append(-(p.log() if tags[b, c] else (1 - p).log()))
    return torch.stack(terms).mean()


def walked(maps, affinity, offsets, beta, steps):
    """(K, h, w) maps after a walk on a dense matrix made of (len(offsets), h, w) affinities."""
    k, h, w = maps.shape
    weights = torch.eye(h * w)
    for plane, (dy, dx) in zip(affinity, offsets, strict=True):
        for y in range(h):
            for x in range(w):
                if 0 <= y + dy < h and 0 <= x + dx < w:
                    one, other = y * w + x, (y + dy) * w + x + dx
                    weights[one, other] = weights[other, one] = plane[y, x]
    chances = weights**beta
    chances = chances / chances.sum(dim=0)
    return (maps.view(k, -1) @ torch.linalg.matrix_power(chances, steps)).view(k, h, w)


def owed_by_pairs(scores, labels, confidence, distance, margin):
    """What each pixel and each of its eight partners owe, by the kind of their labels.

    Args:
        scores: (B, K, h, w) probabilities.
        labels: (B, h, w), 255 where nothing is known.
        confidence: (B, h, w).
        distance: of a pair, in pixels.
        margin: distance of two answers that is enough.
    """
    owed = {"same": [], "background": [], "different": []}
    (count, h, w), reach = labels.shape, (-distance, 0, distance)
    for b, y, x, dy, dx in itertools.product(range(count), range(h), range(w), reach, reach):
        v, u = y + dy, x + dx
        if (dy, dx) == (0, 0) or not (0 <= v < h and 0 <= u < w):
            continue
        one, other = int(labels[b, y, x]), int(labels[b, v, u])
        if 255 in (one, other):
            continue
        weight = max(float(confidence[b, y, x]), float(confidence[b, v, u]))
        ends = zip(scores[b, :, y, x].tolist(), scores[b, :, v, u].tolist(), strict=True)
        gap = sum(_coins(p, q) for p, q in ends)
        if one == other:
            owed["same" if one else "background"].append(weight * gap)
        else:
            owed["different"].append(max(0.0, margin * weight - gap))
    return owed


def _coins(p, q):
    """The divergence of two coins, both kept away from 0 and 1."""
    total = 0.0
    for one, other in ((p, q), (1 - p, 1 - q)):
        kept, rival = max(one, 1e-4), max(other, 1e-4)
        total += kept * math.log(kept / rival)
    return total


def gaussian_links(image, sxy, srgb, deep=None):
    """How alike all pixels of an image (3, H, W) are, (N, N), from place, colour and features."""
    places = [(y, x) for y in range(image.shape[1]) for x in range(image.shape[2])]
    links = torch.zeros(len(places), len(places))
    for i, (y, x) in enumerate(places):
        for j, (v, u) in enumerate(places):
            gap = ((y - v) ** 2 + (x - u) ** 2) / sxy**2
            gap += (255 * (image[:, y, x] - image[:, v, u]) / srgb).square().sum()
            if deep is not None:
                gap += (deep[:, y, x] - deep[:, v, u]).square().sum()
            links[i, j] = torch.exp(-gap / 2)
    return links


def energies_by_hand(scores, links, present):
    """What is cut of the links by scores (K, H, W), and the normalised cut over present classes."""
    cut, ncut, s = 0.0, 0.0, scores.flatten(1)
    for k in range(len(s)):
        leaving = float(s[k] @ links @ (1 - s[k]))
        cut += leaving
        if k in present:
            ncut += leaving / float(links.sum(dim=1) @ s[k])
    return cut, ncut
