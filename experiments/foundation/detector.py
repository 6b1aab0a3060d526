"""What the tiny detector learns: the boxes and names of objects, on towers that CLIP has taught."""

from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Generator, Tensor
from torchvision.ops import box_convert, box_iou, generalized_box_iou_loss, sigmoid_focal_loss

from experiments.foundation.pictures import drawn
from wsss_lib.data.toy import KINDS
from wsss_lib.nets.large.clip import toy_clip
from wsss_lib.nets.large.detector import Detector, toy_detector

PROMPTS = ("a {}", "a photo of a {}")


def made(pretrained: bool) -> Detector:
    """The tiny detector; untrained, its towers are those of the trained tiny CLIP."""
    detector = toy_detector(pretrained)
    if not pretrained:
        towers = detector.model.owlvit.state_dict()
        for key, value in toy_clip().model.state_dict().items():
            key = key.replace("pre_layrnorm", "pre_layernorm")
            if towers[key].shape == value.shape:
                towers[key] = value
        # CLIP has one end mark for the end and the padding, OWL-ViT two.
        words = toy_clip().model.text_model.embeddings.token_embedding.weight
        towers["text_model.embeddings.token_embedding.weight"] = torch.cat([words, words[:1]])
        detector.model.owlvit.load_state_dict(towers)
    return detector


def tight_boxes(region: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes of object 1, 2 and 3.

    Args:
        region: (B, H, W) as ``regions`` makes it.

    Returns:
        boxes: (B, 3, 4) x0, y0, x1, y1, half-open, as shares of the image.
        there: (B, 3) bool, which objects there are.
    """
    masks = region[:, None] == torch.arange(1, 4)[:, None, None]
    width = region.shape[-1]
    sides = []
    for along in (masks.any(dim=2), masks.any(dim=3)):  # columns, rows
        sides.append((along.int().argmax(dim=2), width - along.flip(2).int().argmax(dim=2)))
    (left, right), (top, bottom) = sides
    return torch.stack([left, top, right, bottom], dim=2) / width, masks.flatten(2).any(dim=2)


def assigned(boxes: Tensor, there: Tensor, side: int) -> Tensor:
    """Which object each patch answers for: the smallest whose box has it near the centre.

    Args:
        boxes: (B, n, 4) x0, y0, x1, y1 as shares of the image.
        there: (B, n) bool.
        side: patches along a side of the image.

    Returns:
        (B, side * side) index of the object, -1 for none. The patch under the centre of a box
        belongs to it in any case, unless a smaller box claims it.
    """
    at = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(at, at, indexing="ij")
    centre, extent = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
    away = (torch.stack([x, y], -1).reshape(-1, 1, 1, 2) - centre).abs()  # (N, B, n, 2)
    near = (away <= (extent / 4).clamp(min=0.5 / side)).all(dim=3) & there
    area = torch.where(near, extent.prod(dim=2), torch.inf)
    smallest, index = area.min(dim=2)
    return torch.where(smallest.isfinite(), index, -1).t()


def detector_loss(
    detector: Detector, data: dict[str, Tensor], chance: Generator, batch: int = 16
) -> Tensor:
    """Focal loss for every patch and sentence, distance and generalised IoU for assigned boxes."""
    chosen = torch.randint(0, len(data["image"]), (batch,), generator=chance)
    image, region = data["image"][chosen] / 255, data["region"][chosen]
    if torch.rand((), generator=chance) < 0.5:
        image, region = image.flip(-1), region.flip(-1)
    template = PROMPTS[int(torch.randint(0, len(PROMPTS), (), generator=chance))]
    logits, shares = detector(image, [template.format(name) for name in KINDS])
    logits, shares = logits.float(), shares.float()
    boxes, there = tight_boxes(region)
    owner = assigned(boxes, there, round(logits.shape[1] ** 0.5))
    b, patch = (owner >= 0).nonzero(as_tuple=True)
    number = owner[b, patch]
    target = torch.zeros_like(logits)
    target[b, patch, data["kind"][chosen][b, number]] = 1
    count = max(1, len(b))
    focal = sigmoid_focal_loss(logits, target, alpha=0.5, reduction="sum") / count
    found, true = box_convert(shares[b, patch], "cxcywh", "xyxy"), boxes[b, number]
    distance = (found - true).abs().sum() / count
    return focal + 5 * distance + 2 * generalized_box_iou_loss(found, true, reduction="sum") / count


@torch.no_grad()
def detector_figures(detector: Detector, images: int = 256) -> dict[str, Any]:
    """Objects of the validation pictures of world 0, asked for by the names of all classes.

    Returns:
        ``ap50``, for each class the average precision at IoU 0.5 times the recall of all answers
        above a score of .01, their mean ``mean_ap50``, and ``box_iou``, the mean over objects of
        the IoU with the best box of a score above .3 for the name of its class.
    """
    answers: dict[str, list[tuple[float, bool]]] = {name: [] for name in KINDS}
    total, best = dict.fromkeys(KINDS, 0), []
    for scene in drawn(0, "standard", "val", images):
        image = torch.from_numpy(scene.image).permute(2, 0, 1) / 255
        region = torch.from_numpy(scene.instance)[None]
        true = 64 * tight_boxes(region)[0][0, : len(scene.classes)]
        prompts = [f"a photo of a {name}" for name in KINDS]
        boxes, scores, which = detector.detect(image, prompts, threshold=0.01)
        for k, name in enumerate(KINDS):
            mine = torch.tensor([n for n, kind in enumerate(scene.classes) if kind == k]).long()
            total[name] += len(mine)
            iou = box_iou(boxes[which == k], true[mine])
            for n in range(len(mine)):
                sure = iou[scores[which == k] > 0.3, n]
                best.append(sure.max().item() if len(sure) else 0.0)
            for row, score in enumerate(scores[which == k].tolist()):
                hit = len(mine) > 0 and bool(iou[row].max() >= 0.5)
                if hit:  # the next box of the same object is a false one
                    iou[:, iou[row].argmax()] = 0
                answers[name].append((score, hit))
    ap50 = {name: _precision(answers[name], total[name]) for name in KINDS}
    return {
        "ap50": ap50,
        "mean_ap50": float(np.mean(list(ap50.values()))),
        "box_iou": float(np.mean(best)),
        "objects": len(best),
    }


def _precision(answers: list[tuple[float, bool]], total: int) -> float:
    """Average precision; objects that no answer hits count as missed."""
    hits = [hit for _, hit in answers]
    if not any(hits):
        return 0.0
    scores = [score for score, _ in answers]
    return float(average_precision_score(hits, scores) * sum(hits) / total)
