"""What the tiny SAM learns: the region that a point or a box means."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from experiments.foundation.pictures import CLUTTER, drawn, regions
from wsss_lib.blocks.regions.masks import mask_iou
from wsss_lib.nets.large.sam import Sam


def prompted(region: Tensor, count: int, chance: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Regions to ask for, three of four an object where there is one.

    Args:
        region: (B, H, W) as ``regions`` makes it.
        count: prompts P per picture.
        chance: source of all chance.

    Returns:
        masks: (B, P, H, W) bool.
        points: (B, P, 1, 2) x, y of one of their pixels, all alike.
        boxes: (B, P, 4) first and last column and row, each moved by up to 1.5 pixels.
    """
    masks = []
    for picture in region:
        numbers, area = picture.unique(return_counts=True)
        numbers = numbers[area >= 6]
        is_object = (numbers < CLUTTER).float()
        weight = 3 * is_object / is_object.sum().clamp(min=1) + (1 - is_object) / (
            1 - is_object
        ).sum().clamp(min=1)
        chosen = numbers[torch.multinomial(weight, count, replacement=True, generator=chance)]
        masks.append(picture == chosen[:, None, None])
    found = torch.stack(masks)
    width = found.shape[-1]
    pixel = torch.multinomial(found.flatten(2).flatten(0, 1).float(), 1, generator=chance)
    points = torch.cat([pixel % width, pixel // width], dim=1).reshape(*found.shape[:2], 1, 2)
    sides = []
    for along in (found.any(dim=2), found.any(dim=3)):  # columns, rows
        first, last = along.int().argmax(dim=2), width - 1 - along.flip(2).int().argmax(dim=2)
        sides.append((first, last))
    (left, right), (top, bottom) = sides
    boxes = torch.stack([left, top, right, bottom], dim=2).float()
    return found, points.float(), boxes + 3 * torch.rand(boxes.shape, generator=chance) - 1.5


def mask_loss(logits: Tensor, expected: Tensor, masks: Tensor) -> Tensor:
    """Of several answers the best one learns the mask; all learn what IoU they have.

    Args:
        logits: (B, P, M, h, w).
        expected: (B, P, M) IoU that the network expects of its answers.
        masks: (B, P, H, W) bool.
    """
    size = (masks.shape[-2], masks.shape[-1])
    logits = F.interpolate(logits.flatten(0, 1).float(), size, mode="bilinear")
    logits = logits.unflatten(0, masks.shape[:2])
    target = masks[:, :, None].float().expand_as(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((-2, -1))
    soft = logits.sigmoid()
    dice = 1 - (2 * (soft * target).sum((-2, -1)) + 1) / ((soft + target).sum((-2, -1)) + 1)
    cut, true = logits.detach() > 0, target > 0
    iou = (cut & true).sum((-2, -1)) / (cut | true).sum((-2, -1)).clamp(min=1)
    return (5 * entropy + dice).amin(dim=2).mean() + F.mse_loss(expected.float(), iou)


def sam_loss(
    sam: Sam, data: dict[str, Tensor], chance: Generator, batch: int = 8, prompts: int = 6
) -> Tensor:
    """Masks of points, three answers each, and of boxes, one each, from the same embedding."""
    chosen = torch.randint(0, len(data["image"]), (batch,), generator=chance)
    image, region = data["image"][chosen] / 255, data["region"][chosen]
    if torch.rand((), generator=chance) < 0.5:
        image, region = image.flip(-1), region.flip(-1)
    masks, points, boxes = prompted(region, prompts, chance)
    seen = sam.model.vision_encoder(sam.standardize(image)).last_hidden_state
    total = torch.zeros(())
    for several, asked in ((True, {"input_points": points}), (False, {"input_boxes": boxes})):
        answer = sam.model(image_embeddings=seen, multimask_output=several, **asked)
        total = total + mask_loss(answer.pred_masks, answer.iou_scores, masks)
    return total


def sam_figures(sam: Sam, images: int = 128) -> dict[str, Any]:
    """Objects of the validation pictures of world 0, asked for by a point and by the tight box.

    Returns:
        ``point_iou`` and ``box_iou``, means over objects; ``everything_masks`` per picture, and
        ``everything_iou``, the mean over objects of the IoU with the mask that fits best.
    """
    chance = Generator().manual_seed(0)
    found: dict[str, list[float]] = {"point_iou": [], "box_iou": [], "everything_iou": []}
    masks_made = 0
    for scene in drawn(0, "standard", "val", images):
        image = torch.from_numpy(scene.image).permute(2, 0, 1) / 255
        masks, _ = sam.everything(image)
        masks_made += len(masks)
        seen, region = sam.embed(image), torch.from_numpy(regions(scene))
        for number in range(1, len(scene.classes) + 1):
            true = region == number
            y, x = true.nonzero().unbind(dim=1)
            pick = int(torch.randint(len(x), (), generator=chance))
            box = torch.stack([x.min(), y.min(), x.max() + 1, y.max() + 1])
            point = torch.stack([x[pick], y[pick]])
            answers = {
                "point_iou": sam.masks_from(seen, points=point[None])[0],
                "box_iou": sam.masks_from(seen, boxes=box[None])[0],
                "everything_iou": masks,
            }
            for name, answer in answers.items():
                iou = mask_iou(true[None], answer)
                found[name].append(iou.max().item() if len(answer) else 0.0)
    means = {name: sum(values) / len(values) for name, values in found.items()}
    return {**means, "everything_masks": masks_made / images, "objects": len(found["box_iou"])}
