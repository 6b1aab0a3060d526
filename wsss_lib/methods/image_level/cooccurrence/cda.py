"""CDA: paste objects where they never are, so that a classifier cannot live on their surroundings.

Boats come on water, so water helps to say "boat". Objects are cut out along the labels that an
earlier stage gives and pasted into images of other classes; a classifier that learns from both
kinds of image has to look at the objects themselves.
"""

from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsss_lib.blocks.augment.paste import choose_donors, clean_objects, paste, random_places
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, to_labels
from wsss_lib.blocks.refine.pamr import pamr
from wsss_lib.core import Batch, Card, InputError, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn

CARD = Card(
    id="cda",
    name="CDA",
    title="Context Decoupling Augmentation for Weakly Supervised Semantic Segmentation",
    authors="Su, Sun, Lin, Wu",
    venue="ICCV",
    year=2021,
    supervision=("tags",),
    family="image_level/cooccurrence",
    paper="arXiv:2103.01795",
    official="https://github.com/suyukun666/CDA",
    survey_section="2.1.3",
    needs_scores=True,
    fidelity="reduced",
    differs=(
        "objects come from the other images of the batch, not from a bank cut out beforehand; "
        "classes that no image of the batch can give are not drawn",
        "objects are moved by nearest pixels, and their image is rescaled, mirrored and cropped "
        "before they are pasted; the released code interpolates them, and moves the pasted copy "
        "by itself afterwards",
        "labels are the scores of an earlier stage after PAMR, here CAM; the paper takes those of "
        "a whole host, such as IRNet with its walk and dense CRF",
        "the classifier answers with its class maps; the paper then runs its host again on them",
        "each image receives a pasted copy, so a step sees twice the images of the recipe",
        "the rate falls over all steps; in the released code it reaches zero after half of them",
        "the weights of batch normalisation are frozen as its statistics are; IRNet's code, whose "
        "recipe this is, teaches them",
    ),
)


class CDA(Method):
    """A classifier that learns from images and from images with pasted objects.

    Args:
        backbone: features whose last map the classifier reads.
        num_classes: C, without background.
        share: least and largest share of an image that an object may cover.
        threshold: scores above it belong to the object; None lets ``engine.run`` choose it.
        dilations: distances in pixels at which PAMR, which sharpens the scores, sees neighbours.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe.like_irn(steps=6600, batch_size=8)

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        share: tuple[float, float] = (0.1, 0.7),
        threshold: float | None = None,
        dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24),
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Conv2d(backbone.channels[-1], num_classes, 1, bias=False)
        self.share, self.threshold = share, threshold
        self.dilations, self.scales = dilations, scales

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        net, dilations = backbone or toy_cnn(), (1, 2, 4)
        method = cls(net, num_classes, dilations=dilations, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        return self.classifier(self.backbone(image)[-1])

    def decouple(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Images (B, 3, H, W) with an object of a class that they lack, and their new tags (B, C).

        An image to which no other has anything to give stays as it is.
        """
        tags, scores = batch.require("tags", CARD.name), batch.require("scores", CARD.name)
        if self.threshold is None:
            raise InputError("CDA needs a threshold: pass threshold=..., or calibrate=... to run.")
        labels = to_labels(pamr(batch.image, scores, self.dilations), self.threshold)
        clean, kind = clean_objects(labels, tags.shape[1], *self.share)
        donor = choose_donors(clean, kind, tags)
        given = (donor >= 0)[:, None]
        masks = (labels == kind[:, None, None] + 1)[donor] & given[:, :, None]
        pasted, _ = paste(batch.image, batch.image[donor], masks, random_places(masks))
        return pasted, tags + F.one_hot(kind[donor], tags.shape[1]).to(tags) * given

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The classification losses of the images and of the pasted ones, half each."""
        pasted, tags = self.decouple(batch)
        logits = self.class_maps(torch.cat([batch.image, pasted])).mean(dim=(2, 3))
        original, decoupled = logits.chunk(2)
        return {
            "cls": tag_loss(original, batch.require("tags", CARD.name)) / 2,
            "pasted": tag_loss(decoupled, tags) / 2,
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): class maps of the new classifier; the scores are no longer needed."""
        return normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
