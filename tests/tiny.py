"""Small things that several tests use: a folder of drawn photographs, and a method that learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.data.palette import write_labels

CLASSES = ("cat", "red car")
COLOURS = {"cat": (200, 60, 60), "red car": (60, 60, 200)}


def plain_folder(root: Path, sizes=((24, 32),) * 6, masks=True, split=False) -> Path:
    """Images of (height, width), each with a square of one class, in the plain layout."""
    (root / "images").mkdir(parents=True)
    lines = ["id,cat,red car" + (",split" if split else "")]
    for number, (height, width) in enumerate(sizes):
        name = CLASSES[number % 2]
        rng = np.random.default_rng(number)
        pixels = rng.integers(90, 110, (height, width, 3)).astype(np.uint8)
        mask = np.zeros((height, width), np.uint8)
        inside = (
            slice(height // 4, max(1, 3 * height // 4)),
            slice(width // 4, 3 * width // 4 + 1),
        )
        pixels[inside], mask[inside] = COLOURS[name], CLASSES.index(name) + 1
        Image.fromarray(pixels).save(root / "images" / f"im{number}.png")
        if masks:
            write_labels(root / "masks" / f"im{number}.png", mask)
        part = f",{'val' if number % 3 == 2 else 'train'}" if split else ""
        lines.append(f"im{number},{int(name == 'cat')},{int(name == 'red car')}{part}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


class Pixels(Method):
    """Classifies every pixel by its colour; draws random numbers from all generators."""

    card = Card(
        "pixels", "Pixels", "A test", "Nobody", "nowhere", 2024, ("tags",), "image_level/cam", "-"
    )
    recipe = Recipe(40, 2, lr=0.02, head_factor=5.0, optimizer="adamw", weight_decay=0.0)

    def __init__(self, seed: int = 0, num_classes: int = 2) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.backbone = nn.Conv2d(3, 8, 1)
        self.classifier = nn.Conv2d(8, num_classes, 1)
        self.asked = self.answered = 0

    def maps(self, image):
        return self.classifier(self.backbone(image - 0.4).relu())

    def loss(self, batch: Batch):
        self.asked += 1
        noise = 1 + 0.1 * (torch.rand(1).item() + float(np.random.rand()))  # noqa: NPY002
        pooled = self.maps(F.dropout2d(batch.image, 0.1) * noise).mean(dim=(2, 3))
        return {"cls": F.binary_cross_entropy_with_logits(pooled, batch.tags)}

    def predict(self, batch: Batch):
        self.answered += 1
        maps = self.maps(batch.image).sigmoid()
        return maps if batch.tags is None else maps * batch.tags[:, :, None, None]


class Follower(Pixels):
    """Answers with the scores of the stage before it."""

    card = replace(Pixels.card, id="follower", needs_scores=True)
    recipe = Recipe()

    def predict(self, batch: Batch):
        self.answered += 1
        return batch.require("scores", "follower") / 2


class Slanted(nn.Module):
    """A backbone that answers colours minus one half and sees more of them on the right.

    Without the mirror image, what it says would be slanted too.
    """

    channels, strides = [3, 3], [1, 1]

    def forward(self, image):
        slope = torch.linspace(0.5, 1.5, image.shape[-1])
        return [(image - 0.5) * slope] * 2


class ColoursAndEdges(nn.Module):
    """A backbone that answers colours and their edges: what is learned is learned by the heads."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)  # in training it would take notes of every batch
        self.channels, self.strides = [3, 12], [1, 1]

    def forward(self, image):
        wide = F.pad(image, (1, 1, 1, 1), mode="replicate")
        rows, columns = wide[..., 1:-1], wide[..., 1:-1, :]
        shifted = (rows[..., 2:, :], rows[..., :-2, :], columns[..., 2:], columns[..., :-2])
        edges = [(image - other).abs() for other in shifted]
        return [self.norm(image), torch.cat(edges, dim=1)]


def checkered(one, other, h, w):
    """(3, h, w) of two colours in turn: edges are everywhere."""
    board = (torch.arange(h).view(-1, 1) + torch.arange(w)).remainder(2).bool()
    return torch.where(board, torch.tensor(one).view(3, 1, 1), torch.tensor(other).view(3, 1, 1))


class Painter(nn.Module):
    """A segmentation network whose logits are colours mixed by known weights, pixel by pixel."""

    def __init__(self, num_classes: int = 3) -> None:
        super().__init__()
        self.backbone = nn.Identity()
        mix = torch.randn(num_classes + 1, 3, generator=torch.Generator().manual_seed(0))
        self.mix = nn.Parameter(4 * mix)

    def forward(self, image):
        return torch.einsum("kd,bdhw->bkhw", self.mix, image)


TWO_IMAGES = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
"""Tags of two images with two present classes each: what one of either hides, these show."""


def noise(*shape, seed=1):
    """Random numbers in [0, 1] of their own seed."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


class Fixed(nn.Module):
    """A network that says what it is told to."""

    def __init__(self, logits):
        super().__init__()
        self.backbone, self.logits = nn.Identity(), nn.Parameter(logits)

    def forward(self, image):
        return self.logits


def boxed_scores(power=1.0):
    """Two images with boxes of unequal sizes, two classes that overlap, and a box of one twice.

    Scores are noise inside the boxes; a power below 1 raises them.
    """
    boxes = (
        torch.tensor([[1, 2, 8, 9, 1], [5, 4, 13, 8, 2], [10, 1, 13, 3, 1]]),
        torch.tensor([[3, 1, 11, 7, 2], [0, 5, 6, 10, 1]]),
    )
    filled = torch.zeros(2, 2, 10, 14)
    for b, of_image in enumerate(boxes):
        for x0, y0, x1, y1, kind in of_image.tolist():
            filled[b, kind - 1, y0:y1, x0:x1] = 1
    scores = filled * noise(2, 2, 10, 14, seed=7) ** power
    scores[0, 0, 3, 3] = 0.5  # undecided
    return Batch(("a", "b"), noise(2, 3, 10, 14), scores=scores, boxes=boxes)
