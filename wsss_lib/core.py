"""What every room of the house shares: what a method may see, and what it must answer.

Shape legend, used in every docstring and comment of the library:

======= =====================================================================
``B``   images in the batch
``C``   foreground classes
``K``   ``C + 1`` classes, background first
``D``   feature channels
``H W`` height and width of the image, in pixels
``h w`` height and width of a feature map; ``N = h * w``
======= =====================================================================
"""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import torch
from torch import Tensor, nn

IGNORE = 255
"""Label of pixels that no loss and no metric looks at."""


class InputError(ValueError):
    """Input that cannot be used; the message says what is wrong and what to do about it."""


@dataclass(frozen=True)
class Batch:
    """What a method may see. There is no ground truth here, on purpose.

    Attributes:
        ids: one name per image, for methods that remember something about each image.
        image: (B, 3, H, W) RGB in [0, 1]; networks normalise for themselves.
        tags: (B, C), 1 where the class is present; None where image labels are not given.
        scores: (B, C, H, W) in [0, 1], what the previous stage said.
        boxes: one (n, 5) tensor per image: x0, y0, x1, y1 (half-open, pixels), class in 1..C.
        points: one (n, 3) tensor per image: x, y, class in 0..C.
        objects: one (n,) tensor per image: the number of the object, or of the region of stuff, on
            which each of its points lies, from 1; 0 for points on the background.
        extremes: one (n, 4, 2) tensor per image: left, right, top, bottom points of each object.
        scribble: (B, H, W) class indices in 0..C, 255 where nobody drew.
        saliency: (B, 1, H, W) in [0, 1].
        captions: one sentence per image.
    """

    ids: tuple[str, ...]
    image: Tensor
    tags: Tensor | None = None
    scores: Tensor | None = None
    boxes: tuple[Tensor, ...] | None = None
    points: tuple[Tensor, ...] | None = None
    objects: tuple[Tensor, ...] | None = None
    extremes: tuple[Tensor, ...] | None = None
    scribble: Tensor | None = None
    saliency: Tensor | None = None
    captions: tuple[str, ...] | None = None

    def to(self, device: torch.device | str) -> Self:
        """The same batch on another device."""

        def move(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.to(device)
            if isinstance(value, tuple):
                return tuple(move(item) for item in value)
            return value

        return replace(self, **{f.name: move(getattr(self, f.name)) for f in fields(self)})

    def require(self, name: str, who: str) -> Any:
        """The named field, or an error that says who needs it and where it comes from.

        Raises:
            InputError: the field is None.
        """
        value = getattr(self, name)
        if value is None:
            source = (
                "run a score-producing stage (such as cam) before it"
                if name == "scores"
                else f"open the data with WeakView(..., supervision=({name!r},))"
            )
            raise InputError(f"{who} needs batch.{name}, which is missing: {source}.")
        return value


@dataclass(frozen=True)
class Recipe:
    """How a method is trained. Keyword defaults are the usual ones of PASCAL VOC systems.

    Attributes:
        steps: optimiser steps; 0 for training-free methods.
        batch_size: images per step, a multiple of ``group``.
        lr: learning rate of the weights inside ``method.backbone``.
        head_factor: every other weight learns this many times faster.
        weight_decay: decoupled for AdamW, L2 for SGD.
        optimizer: "sgd" (momentum 0.9) or "adamw".
        power: exponent of the poly decay ``(1 - progress) ** power``; 0 keeps the rate.
        drops: shares of the training after each of which the rate is a tenth (step decay), instead
            of the poly decay; none leaves it to ``power``.
        warmup: share of the steps over which the rate rises linearly from zero.
        crop: side of the square training crop in pixels; None keeps whole images (equal sizes).
        scale: range of the random training rescale (random scale).
        long_side: range in pixels of the random length of an image's longer side, instead of
            ``scale``; None leaves it to ``scale``.
        area: range of the share of the image that a random crop covers, its sides between 3:4 and
            4:3, before it is resized to ``crop``, which it needs (RandomResizedCrop); it takes the
            place of ``scale``.
        flip: mirror half of the training images.
        shift: largest random translation in pixels, filled by the edge colour.
        precision: "no", "fp16" or "bf16".
        accumulate: batches whose gradients are added before one optimiser step.
        freeze_levels: so many of the backbone's feature maps, counted from the image, are not
            taught: the weights that make them stay as they are.
        freeze_norm: batch normalisation inside the backbone keeps its statistics and its weights.
        group: so many images in a row share a class; 1 for images that come alone.
    """

    steps: int = 0
    batch_size: int = 16
    lr: float = 0.01
    head_factor: float = 10.0
    weight_decay: float = 5e-4
    optimizer: Literal["sgd", "adamw"] = "sgd"
    power: float = 0.9
    drops: tuple[float, ...] = ()
    warmup: float = 0.0
    crop: int | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    long_side: tuple[int, int] | None = None
    area: tuple[float, float] | None = None
    flip: bool = True
    shift: int = 0
    precision: Literal["no", "fp16", "bf16"] = "no"
    accumulate: int = 1
    freeze_levels: int = 0
    freeze_norm: bool = False
    group: int = 1

    @classmethod
    def like_irn(cls, steps: int, batch_size: int = 16) -> Self:
        """What classifiers share that follow IRNet's CAM (Ahn et al., CVPR 2019), a ResNet-50."""
        return cls(
            steps, batch_size, 0.1, weight_decay=1e-4, crop=512, long_side=(320, 640),
            freeze_levels=3, freeze_norm=True,
        )  # fmt: skip

    @classmethod
    def like_psa(
        cls, steps: int, crop: int, long_side: tuple[int, int] | None = None, lr: float = 0.01
    ) -> Self:
        """What networks share that follow AffinityNet's code (Ahn and Kwak, CVPR 2018)."""
        return cls(steps, 8, lr, crop=crop, long_side=long_side, freeze_levels=2, freeze_norm=True)

    @classmethod
    def toy(
        cls, steps: int, lr: float = 1e-3, head_factor: float = 10.0, size: int = 16, group: int = 1
    ) -> Self:
        """What all systems share on the toy world: AdamW, warm-up, flips and small shifts."""
        return cls(
            steps, size, lr, head_factor, 0.01, "adamw", power=1.0, warmup=0.2, flip=True, shift=6,
            group=group,
        )  # fmt: skip


Supervision = Literal[
    "tags", "boxes", "scribble", "points", "objects", "extremes", "saliency", "captions", "masks"
]
Fidelity = Literal["faithful", "reduced", "reconstruction"]


@dataclass(frozen=True)
class Card:
    """A paper's index card: tables, figures and tests are generated from the cards.

    Attributes:
        id: short name, unique; the command line and the result files use it.
        name: the system's name as the paper writes it.
        title: the paper's title.
        authors: the paper's authors.
        venue: where it appeared, such as "CVPR".
        year: when it appeared.
        supervision: the weak labels that it learns from.
        family: folder below ``wsss_lib/methods`` that holds it: its leaf of the taxonomy.
        paper: where to read it (DOI or arXiv identifier).
        official: the authors' code, "" where there is none.
        survey_section: section of the survey that discusses it, "" where there is none.
        differs: every known departure from the paper.
        fidelity: "faithful", "reduced" (smaller, same idea) or "reconstruction" (guessed parts).
        needs: hidden supervision: saliency, text, SAM, masks of other classes, ...
        needs_scores: it refines or learns from the scores of an earlier stage.
        uses_tags_at_inference: its predictions need the image's labels.
        own_background: its scores weigh classes against a background of its own, so that 0.5 is
            the border; other score maps need a threshold from outside.
        reads_names: it knows classes by their names alone; its toy networks know those of the toy
            world.
    """

    id: str
    name: str
    title: str
    authors: str
    venue: str
    year: int
    supervision: tuple[Supervision, ...]
    family: str
    paper: str
    official: str = ""
    survey_section: str = ""
    differs: tuple[str, ...] = ()
    fidelity: Fidelity = "faithful"
    needs: tuple[str, ...] = ()
    needs_scores: bool = False
    uses_tags_at_inference: bool = True
    own_background: bool = False
    reads_names: bool = False

    @property
    def is_network(self) -> bool:
        """Whether its answers stand on their own: no tags, no scores, a background of its own."""
        alone = not self.uses_tags_at_inference and self.family != "refine"
        return self.own_background and alone


class Method(nn.Module):
    """One paper: how it learns, and what it says of an image.

    A subclass sets ``card`` and overrides ``predict``; one that learns overrides ``loss`` too.

    Attributes:
        card: the paper's index card.
        recipe: how ``engine.fit`` trains it.
        threshold: where a method that learns labels from ``batch.scores`` cuts them; None lets
            ``engine.run`` choose it on the held-out part.
        progress: share of the training done, in [0, 1]; the engine sets it before every loss.
    """

    card: ClassVar[Card]
    recipe: Recipe = Recipe()
    progress: float = 0.0
    threshold: float | None = 0.5

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalar terms, already weighted; the engine minimises their sum.

        An empty dict marks a training-free method.
        """
        return {}

    def predict(self, batch: Batch) -> Tensor:
        """Foreground scores (B, C, H, W) in [0, 1]; classes known to be absent score 0.

        A segmentation network with probabilities p answers ``p_c / (p_c + p_0)``: the order
        among the classes is kept and its own argmax rule is exactly the threshold 0.5.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement predict(batch)")


@runtime_checkable
class TellsObjects(Protocol):
    """A method that also says which pixels are one object: its answer is panoptic.

    ``predict`` gives its class scores, as that of any other does.
    """

    def panoptic(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The class and the object of each pixel.

        Objects have numbers from 1 that no two objects of an image share; 0 stands on classes whose
        objects are not told apart (stuff), and on the background.

        Returns:
            classes: (B, H, W) class indices in 0..C.
            objects: (B, H, W) numbers.
        """
        ...
