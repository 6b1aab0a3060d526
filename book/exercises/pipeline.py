"""Exercises of the chapter on the two-stage pipeline."""

from collections.abc import Callable

import torch
from torch import Tensor

from exercises import Exercise
from wsss_lib.core import IGNORE


def mean_iou(truth: Tensor, labels: Tensor, num_classes: int) -> float:
    """Mean IoU of label images (..., H, W) over background and classes; 255 is left out."""
    known = truth != IGNORE
    values = []
    for c in range(num_classes + 1):
        inside, said = (truth == c) & known, (labels == c) & known
        union = (inside | said).sum()
        if union:
            values.append(float((inside & said).sum() / union))
    return sum(values) / len(values)


def check_mean_iou(answer: Callable[[Tensor, Tensor, int], float]) -> str:
    """Counts over all images at once, background included, void left out."""
    truth = torch.tensor([[[0, 0, 1, 1]], [[0, 2, 2, 255]]])
    labels = torch.tensor([[[0, 1, 1, 1]], [[0, 2, 0, 2]]])
    # background 2/4, class 1 2/3, class 2 1/2
    expected = (2 / 4 + 2 / 3 + 1 / 2) / 3
    result = float(answer(truth, labels, 2))
    if abs(result - expected) < 1e-4:
        return ""
    if abs(result - (2 / 3 + 1 / 2) / 2) < 1e-4:
        return "The background counts as a class, too."
    if abs(result - (2 / 4 + 2 / 3 + 1 / 3) / 3) < 1e-4:
        return "One pixel is void, 255: whatever is said about it must not count."
    return f"The mean IoU of this example is {expected:.4f}, yours is {result:.4f}."


def _without_background(truth: Tensor, labels: Tensor, num_classes: int) -> float:
    known = truth != IGNORE
    values = []
    for c in range(1, num_classes + 1):
        inside, said = (truth == c) & known, (labels == c) & known
        values.append(float((inside & said).sum() / (inside | said).sum()))
    return sum(values) / len(values)


def _void_counts(truth: Tensor, labels: Tensor, num_classes: int) -> float:
    values = []
    for c in range(num_classes + 1):
        inside, said = truth == c, labels == c
        values.append(float((inside & said).sum() / (inside | said).sum()))
    return sum(values) / len(values)


def pixel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of (B, K, H, W) logits over the pixels of (B, H, W) that have a label."""
    known = labels != IGNORE
    log_p = logits.log_softmax(dim=1).permute(0, 2, 3, 1)[known]
    return -log_p.gather(1, labels[known][:, None]).sum() / known.sum().clamp(min=1)


def check_pixel_loss(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """The mean over labelled pixels, and no NaN without any."""
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(1, 3, 2, 2, generator=generator)
    labels = torch.tensor([[[0, 2], [255, 255]]])
    known = logits.log_softmax(dim=1)
    expected = -(known[0, 0, 0, 0] + known[0, 2, 0, 1]) / 2
    value = answer(logits, labels)
    if value.ndim:
        return "The loss should be a single number."
    if abs(float(value) - float(expected) / 2) < 1e-5:
        return "You divided by all pixels; divide by those that have a label."
    if abs(float(value) - float(expected)) > 1e-5:
        return f"The loss of the example should be {float(expected):.4f}, not {float(value):.4f}."
    empty = answer(logits, torch.full((1, 2, 2), IGNORE))
    if not torch.isfinite(empty):
        return "An image without any label gives NaN; the training would never recover from it."
    return ""


def _all_pixels(logits: Tensor, labels: Tensor) -> Tensor:
    return pixel_loss(logits, labels) * (labels != IGNORE).float().mean()


def _nan_when_empty(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORE)


def network_scores(probabilities: Tensor) -> Tensor:
    """(K, H, W) probabilities, background first -> (C, H, W) foreground scores."""
    background, foreground = probabilities[:1], probabilities[1:]
    return foreground / (foreground + background).clamp(min=1e-8)


def check_network_scores(answer: Callable[[Tensor], Tensor]) -> str:
    """One half is the border, and the order of the classes is kept."""
    generator = torch.Generator().manual_seed(3)
    p = torch.randn(4, 5, 6, generator=generator).softmax(dim=0)
    result = answer(p)
    if result.shape != (3, 5, 6):
        return f"Scores should be (C, H, W) = (3, 5, 6), not {tuple(result.shape)}."
    if torch.allclose(result.sum(dim=0), torch.ones(5, 6), atol=1e-5):
        return "Each class should be compared with the background, not with the other classes."
    peak, winner = result.max(dim=0)
    labels = torch.where(peak > 0.5, winner + 1, 0)
    if not torch.equal(labels, p.argmax(dim=0)):
        return "At the threshold 0.5 the labels should be the network's own argmax; they differ."
    if not torch.allclose(result[0], p[1] / (p[1] + p[0]), atol=1e-5):
        return "The labels are right, but the scores are not p_c / (p_c + p_0)."
    return ""


def _plain_probability(probabilities: Tensor) -> Tensor:
    return probabilities[1:]


def _share_of_foreground(probabilities: Tensor) -> Tensor:
    return probabilities[1:] / probabilities[1:].sum(dim=0)


EXERCISES = {
    "mean_iou": Exercise(check_mean_iou, mean_iou, (_without_background, _void_counts)),
    "pixel_loss": Exercise(check_pixel_loss, pixel_loss, (_all_pixels, _nan_when_empty)),
    "network_scores": Exercise(
        check_network_scores, network_scores, (_plain_probability, _share_of_foreground)
    ),
}
