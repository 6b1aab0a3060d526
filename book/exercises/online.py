"""Exercises of the chapter on one-stage systems."""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from exercises import Exercise
from wsss_lib.core import IGNORE


def pooled_by_mask(logits: Tensor, masks: Tensor) -> Tensor:
    """(C, h, w) logits and masks -> (C,) scores: normalised global weighted pooling."""
    return (masks * logits).sum(dim=(1, 2)) / (1 + masks.sum(dim=(1, 2)))


def check_pooled_by_mask(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """A full mask, half a mask, an empty one."""
    logits = torch.full((3, 2, 4), 3.0)
    logits[1, :, 2:] = -5.0
    masks = torch.zeros(3, 2, 4)
    masks[0], masks[1, :, :2] = 1, 1
    scores = answer(logits, masks)
    if scores.shape != (3,):
        return f"One score for each class, please: (C,), not {tuple(scores.shape)}."
    if not scores.isfinite().all():
        return "An empty mask makes you divide by zero. What is the 1 in the equation for?"
    if torch.allclose(scores, logits.mean(dim=(1, 2))):
        return "This is the plain mean. Only what lies inside the mask should count."
    if torch.allclose(scores[:2], torch.tensor([3.0, 3.0]), atol=1e-3):
        return "The sum of the masks in the denominator comes with a 1 added to it."
    if torch.allclose(scores, (masks * logits).mean(dim=(1, 2))):
        return "Divide by the size of the mask (plus 1), not by the number of pixels."
    if not torch.allclose(scores, torch.tensor([24 / 9, 12 / 5, 0.0]), atol=1e-4):
        return f"For these masks the scores are 24/9, 12/5 and 0; yours are {scores.tolist()}."
    return ""


def _plain_mean(logits: Tensor, masks: Tensor) -> Tensor:
    return logits.mean(dim=(1, 2))


def _without_the_one(logits: Tensor, masks: Tensor) -> Tensor:
    return (masks * logits).sum(dim=(1, 2)) / masks.sum(dim=(1, 2)).clamp(min=1e-8)


def _by_all_pixels(logits: Tensor, masks: Tensor) -> Tensor:
    return (masks * logits).mean(dim=(1, 2))


def own_labels(masks: Tensor, foreground: float, background: float, floor: float) -> Tensor:
    """(K, H, W) refined masks, background first -> (H, W) labels, 255 where nothing is sure."""
    share = torch.full((len(masks), 1, 1), foreground)
    share[0] = background
    claimed = masks > (share * masks.amax(dim=(1, 2), keepdim=True)).clamp(min=floor)
    return torch.where(claimed.sum(dim=0) == 1, claimed.int().argmax(dim=0), IGNORE)


def check_own_labels(answer: Callable[[Tensor, float, float, float], Tensor]) -> str:
    """Peaks, the floor, and pixels that two classes claim."""
    masks = torch.tensor([
        [[0.90, 0.60, 0.05, 0.02, 0.30]],
        [[0.05, 0.00, 0.50, 0.40, 0.20]],
        [[0.05, 0.10, 0.15, 0.50, 0.10]],
        [[0.00, 0.19, 0.10, 0.08, 0.19]],
    ])  # fmt: skip
    labels = answer(masks, 0.6, 0.7, 0.2)
    if labels.shape != (1, 5):
        return f"Labels should be (H, W), not {tuple(labels.shape)}."
    first, second, third, fourth, last = labels[0].tolist()
    if (first, third) != (0, 1):
        return "The first pixel is the peak of the background, 0, and the third that of class 1."
    if fourth in (1, 2):
        return "Two classes claim the fourth pixel: it teaches nothing, 255."
    if 3 in (second, last):
        return "Class 3 never exceeds the floor, not even at its own peak: trust none of it."
    if second == 0:
        return "The background needs 0.7 of its peak, 0.63: the second pixel has too little."
    if (second, fourth, last) != (IGNORE, IGNORE, IGNORE):
        return "Pixels that no class claims are 255, not the best of a bad lot."
    return ""


def _strongest(masks: Tensor, foreground: float, background: float, floor: float) -> Tensor:
    return masks.argmax(dim=0)


def _no_floor(masks: Tensor, foreground: float, background: float, floor: float) -> Tensor:
    return own_labels(masks, foreground, background, 0.0)


def _one_share(masks: Tensor, foreground: float, background: float, floor: float) -> Tensor:
    return own_labels(masks, foreground, foreground, floor)


def reliable(large: Tensor, small: Tensor, certain: Tensor, sure: float) -> Tensor:
    """(K, H, W) refined against either background, (H, W) bool -> (H, W) labels, 255 for none."""
    winner = large.argmax(dim=0)
    labels = torch.where(winner > 0, winner, IGNORE)
    labels[small.argmax(dim=0) == 0] = 0
    confidence = torch.maximum(small[0], large[1:].amax(dim=0))
    labels[(confidence < sure) | ~certain] = IGNORE
    return labels


def check_reliable(answer: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """Both name a class; both the background; they differ; one of the judges is not sure."""
    large = torch.tensor([[[0.05, 0.60, 0.95, 0.30, 0.05], [0.95, 0.40, 0.05, 0.70, 0.95]]])
    small = torch.tensor([[[0.01, 0.10, 0.90, 0.10, 0.02], [0.99, 0.90, 0.10, 0.90, 0.98]]])
    certain = torch.tensor([[True, True, True, True, False]])
    labels = answer(large[0][:, None], small[0][:, None], certain, 0.8)
    if labels.shape != (1, 5):
        return f"Labels should be (H, W), not {tuple(labels.shape)}."
    agreed, apart, empty, doubtful, denied = labels[0].tolist()
    if (agreed, empty) != (1, 0):
        return "Both backgrounds agree at the first pixel, a class, and at the third, background."
    if apart != IGNORE:
        return "At the second pixel the large background wins, but not the small one: no label."
    if doubtful != IGNORE:
        return "At the fourth pixel the class has only 0.7 against the large background."
    if denied != IGNORE:
        return "The class maps are not sure of the last pixel: a label needs both judges."
    return ""


def _large_background_alone(large: Tensor, small: Tensor, certain: Tensor, sure: float) -> Tensor:
    trusted = certain & (large.amax(dim=0) >= sure)
    return torch.where(trusted | (large.argmax(dim=0) == 0), large.argmax(dim=0), IGNORE)


def _colours_alone(large: Tensor, small: Tensor, certain: Tensor, sure: float) -> Tensor:
    return reliable(large, small, torch.ones_like(certain), sure)


def _small_background_judges(large: Tensor, small: Tensor, certain: Tensor, sure: float) -> Tensor:
    labels = reliable(large, small, certain, 0.0)
    return labels.masked_fill(small.amax(dim=0) < sure, IGNORE)


def energy_slope(kernel: Tensor, scores: Tensor, gate: Tensor) -> Tensor:
    """(N, N) likeness, (N, K) probabilities, (N,) gate -> (N, K) slopes of the energy."""
    return -gate[:, None] * (kernel @ scores) / kernel.sum()


def check_energy_slope(answer: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str:
    """Three pixels, of which the last has a label and is sure of it."""
    kernel = torch.tensor([[1.0, 0.5, 0.2], [0.5, 1.0, 0.4], [0.2, 0.4, 1.0]])
    scores = torch.tensor([[0.5, 0.5], [0.6, 0.4], [0.1, 0.9]])
    gate = torch.tensor([1.0, 1.0, 0.1])
    found = answer(kernel, scores, gate)
    right = energy_slope(kernel, scores, gate)
    if found.shape != right.shape:
        return f"One slope for each probability, please: (N, K), not {tuple(found.shape)}."
    if torch.allclose(found, right, atol=1e-5):
        return ""
    if torch.allclose(found, -right, atol=1e-5):
        return "The sign: where the surroundings say a class, more of it lowers the energy."
    if torch.allclose(found, energy_slope(kernel, scores, torch.ones(3)), atol=1e-5):
        return "The last pixel has a label and is sure of it: its gate is nearly closed."
    if torch.allclose(found, right - kernel @ (gate[:, None] * scores) / kernel.sum(), atol=1e-5):
        return "This is the slope with both ends; no gradient flows into the surroundings."
    return "Write the sum over v for one pixel, and keep what depends on its own probability."


def _both_ends(kernel: Tensor, scores: Tensor, gate: Tensor) -> Tensor:
    open_ = gate[:, None]
    return -(open_ * (kernel @ scores) + kernel @ (open_ * scores)) / kernel.sum()


def _no_gate(kernel: Tensor, scores: Tensor, gate: Tensor) -> Tensor:
    return -(kernel @ scores) / kernel.sum()


def _uphill(kernel: Tensor, scores: Tensor, gate: Tensor) -> Tensor:
    return gate[:, None] * (kernel @ scores) / kernel.sum()


def enough(one: Tensor, other: Tensor, margin: float) -> float:
    """(K,) answers of two labels -> the largest confidence at which the pair owes nothing."""
    coins = [p * (p / q).log() for p, q in ((one, other), (1 - one, 1 - other))]
    return min(1.0, float(sum(coin.sum() for coin in coins)) / margin)


def check_enough(answer: Callable[[Tensor, Tensor, float], float]) -> str:
    """Equal answers, answers a little apart, and answers far apart."""
    same, apart = torch.tensor([0.5, 0.5]), torch.tensor([0.8, 0.2])
    far = (torch.tensor([0.999, 0.001]), torch.tensor([0.001, 0.999]))
    if abs(answer(same, same, 3.0)) > 1e-4:
        return "Equal answers of two labels owe something at every confidence above 0."
    if answer(*far, 3.0) > 1 + 1e-6:
        return "No label is surer than 1: answers this far apart never owe anything."
    found, right = answer(same, apart, 3.0), enough(same, apart, 3.0)
    if abs(found - enough(apart, same, 3.0)) < 1e-4:
        return "The distance is not the same in both directions: the first answer is the weight."
    if abs(found - right / 2) < 1e-4:
        return "Each class is a coin of its own: its other side counts too."
    if abs(found - right) > 1e-4:
        return "For which confidence is the margin, times it, just the distance of the answers?"
    return ""


def _one_side(one: Tensor, other: Tensor, margin: float) -> float:
    return min(1.0, float((one * (one / other).log()).sum()) / margin)


def _backwards(one: Tensor, other: Tensor, margin: float) -> float:
    return enough(other, one, margin)


def _without_an_end(one: Tensor, other: Tensor, margin: float) -> float:
    coins = [p * (p / q).log() for p, q in ((one, other), (1 - one, 1 - other))]
    return float(sum(coin.sum() for coin in coins)) / margin


def outvoted(a: float, b: float, t: float) -> float:
    """Weights of the label and of the reassigned one, its share of the right class -> the share."""
    return b * t / (a + b)


def check_outvoted(answer: Callable[[float, float, float], float]) -> str:
    """No reassignment, nothing else, and equal weights."""
    if abs(answer(1.0, 0.0, 1.0)) > 1e-6:
        return "Without reassignment the wrong label is all that the pixel learns."
    if abs(answer(0.0, 1.0, 0.7) - 0.7) > 1e-6:
        return "Where the label does not count, the pixel learns the share t itself."
    if abs(answer(1.0, 1.0, 1.0) - 1.0) < 1e-6:
        return "The pixel still learns its own label, with the weight a."
    if abs(answer(1.0, 1.0, 1.0) - 0.5) > 1e-6:
        return "One says the wrong class, the other the right one, and both weigh the same."
    if abs(answer(2.0, 1.0, 0.6) - 0.2) > 1e-6:
        return "Set the slope of the whole loss to zero; 1 - t counts for the wrong class too."
    return ""


def _winner_takes_all(a: float, b: float, t: float) -> float:
    return t if b * t > a else 0.0


def _label_forgotten(a: float, b: float, t: float) -> float:
    return t * (b > 0)


def _wrong_share_forgotten(a: float, b: float, t: float) -> float:
    return b * t / (a + b * t)


def least_share(background: float) -> float:
    """Share of an object that its map must exceed, so that all of it wins after a perfect step.

    Against the background b, patches with the score 1 have the odds ``e / (e + e^b)`` for the
    object, others ``1 / (1 + e^b)``; the mean of both must exceed one half.
    """
    rival = math.exp(background)
    active, idle = math.e / (math.e + rival), 1 / (1 + rival)
    return (0.5 - idle) / (active - idle)


def check_least_share(answer: Callable[[float], float]) -> str:
    """The two backgrounds of the paper, and the ends."""
    backgrounds = (0.55, 0.35, 0.1, 0.9)
    said = [float(answer(background)) for background in backgrounds]
    wanted = [least_share(background) for background in backgrounds]

    def close(other: list[float]) -> bool:
        return all(abs(one - two) < 1e-3 for one, two in zip(said, other, strict=True))

    if close(wanted):
        return ""
    if close([*backgrounds]):
        return "Close, but the rivals pass a softmax before they are averaged."
    if close([1 - share for share in wanted]):
        return "This is the share that may be missing."
    if close([_odds(background) for background in backgrounds]):
        return "These are the odds of a patch with the score 1. Other patches count too."
    return f"For a background of 0.55 it is {wanted[0]:.3f}; yours is {said[0]:.3f}."


def _odds(background: float) -> float:
    return math.e / (math.e + math.exp(background))


def _no_softmax(background: float) -> float:
    return background


def _what_may_lack(background: float) -> float:
    return 1 - least_share(background)


def patch_contrast(tokens: Tensor, labels: Tensor) -> Tensor:
    """(N, D) tokens, (N,) labels, 255 unknown -> (1 - positive mean + negative mean) / 2."""
    unit = F.normalize(tokens, dim=1)
    similar = (unit @ unit.T).abs()
    known = labels != IGNORE
    pairs = known[:, None] & known[None] & ~torch.eye(len(labels), dtype=torch.bool)
    same = labels[:, None] == labels[None]
    together, apart = pairs & same, pairs & ~same
    pull = 1 - similar[together].sum() / (together.sum() + 1)
    return (pull + similar[apart].sum() / (apart.sum() + 1)) / 2


def check_patch_contrast(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Against the equation, on tokens of different lengths."""
    tokens = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, -3.0], [-1.0, 2.0], [5.0, 1.0]])
    labels = torch.tensor([0, 0, 1, 1, IGNORE])
    said = torch.as_tensor(answer(tokens, labels))
    if said.ndim:
        return f"The loss is one number, not a tensor of shape {tuple(said.shape)}."
    if torch.isclose(said, patch_contrast(tokens, labels)):
        return ""
    if torch.isclose(said, patch_contrast(tokens, torch.tensor([0, 0, 1, 1, 2]))):
        return "A patch with the label 255 belongs to no pair: leave it out."
    if torch.isclose(said, 1 - patch_contrast(tokens, labels), atol=1e-5):
        return "The signs are the wrong way round: equal labels should end up alike."
    unit = F.normalize(tokens, dim=1)
    diagonal = (unit[:4] @ unit[:4].T).abs()
    same = labels[:4, None] == labels[None, :4]
    with_itself = 1 - diagonal[same].sum() / (same.sum() + 1)
    if torch.isclose(said, (with_itself + diagonal[~same].sum() / (~same).sum().add(1)) / 2):
        return "A patch and itself are no pair: leave out the diagonal."
    right = float(patch_contrast(tokens, labels))
    return f"For these tokens the loss is {right:.4f}, not {float(said):.4f}."


def _with_unknown(tokens: Tensor, labels: Tensor) -> Tensor:
    return patch_contrast(tokens, torch.where(labels == IGNORE, 2, labels))


def _wrong_way(tokens: Tensor, labels: Tensor) -> Tensor:
    return 1 - patch_contrast(tokens, labels)


def _with_diagonal(tokens: Tensor, labels: Tensor) -> Tensor:
    known = labels != IGNORE
    unit = F.normalize(tokens[known], dim=1)
    similar = (unit @ unit.T).abs()
    same = labels[known][:, None] == labels[known][None]
    pull = 1 - similar[same].sum() / (same.sum() + 1)
    return (pull + similar[~same].sum() / ((~same).sum() + 1)) / 2


def what_remains(shares: Sequence[float], hardest: float) -> list[float]:
    """Shares with which kinds of pixel bear the object's label, once hard pixels are left out.

    The network answers what it has seen: the probability of the object is the share of its labels.
    """
    least = math.exp(-hardest)  # what is less likely costs more than the limit
    remaining = []
    for share in shares:
        as_object, as_background = share >= least, 1 - share >= least
        alone = as_object != as_background
        remaining.append(float(as_object) if alone else share)
    return remaining


def check_what_remains(answer: Callable[[Sequence[float], float], list[float]]) -> str:
    """Kinds on both sides of the limit, a limit that leaves both labels, one that leaves none."""
    shares = [0.05, 0.35, 0.5, 0.6, 0.9, 1.0]
    said = [float(share) for share in answer(shares, 0.8)]
    if len(said) != len(shares):
        return f"One share for each kind, please: {len(shares)}, not {len(said)}."
    wanted = [0.0, 0.0, 0.5, 1.0, 1.0, 1.0]
    if said == [0.0, 0.35, 0.5, 0.6, 1.0, 1.0]:
        return "The limit is one of the cross-entropy, not of the probability."
    if said == [0.0, 0.0, 0.5, 0.6, 0.9, 1.0]:
        return "Labels of background are left out too, where the network finds them hard."
    if said == [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]:
        return "At one half both labels cost 0.69, which is less than 0.8: both go on teaching."
    if said != wanted:
        return f"With the limit 0.8 the shares become {wanted}; yours are {said}."
    lenient, strict = answer([0.2, 0.5], 1.7), answer([0.45, 0.8], 0.5)
    if [float(share) for share in lenient] != [0.2, 0.5]:
        return "With the limit 1.7 a label of probability 0.2 still teaches: its loss is 1.61."
    if [float(share) for share in strict] != [0.45, 1.0]:
        return "Where both labels are too hard nothing teaches: the share stays as it is."
    return ""


def _by_probability(shares: Sequence[float], hardest: float) -> list[float]:
    bar = 1 - hardest
    return [0.0 if q < bar else 1.0 if 1 - q < bar else q for q in shares]


def _objects_alone(shares: Sequence[float], hardest: float) -> list[float]:
    return [0.0 if -math.log(q) > hardest else q for q in shares]


def _the_larger_wins(shares: Sequence[float], hardest: float) -> list[float]:
    return [float(q >= 0.5) for q in shares]


EXERCISES = {
    "pooled_by_mask": Exercise(
        check_pooled_by_mask, pooled_by_mask, (_plain_mean, _without_the_one, _by_all_pixels)
    ),
    "own_labels": Exercise(check_own_labels, own_labels, (_strongest, _no_floor, _one_share)),
    "reliable": Exercise(
        check_reliable,
        reliable,
        (_large_background_alone, _colours_alone, _small_background_judges),
    ),
    "energy_slope": Exercise(check_energy_slope, energy_slope, (_both_ends, _no_gate, _uphill)),
    "enough": Exercise(check_enough, enough, (_one_side, _backwards, _without_an_end)),
    "outvoted": Exercise(
        check_outvoted,
        outvoted,
        (_winner_takes_all, _label_forgotten, _wrong_share_forgotten),
    ),
    "least_share": Exercise(check_least_share, least_share, (_no_softmax, _what_may_lack, _odds)),
    "patch_contrast": Exercise(
        check_patch_contrast, patch_contrast, (_with_unknown, _wrong_way, _with_diagonal)
    ),
    "what_remains": Exercise(
        check_what_remains, what_remains, (_by_probability, _objects_alone, _the_larger_wins)
    ),
}
