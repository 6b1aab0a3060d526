"""ACR: a map is right when neither the object nor its surroundings can be painted from the other.

A reconstructor learns to paint what is hidden from what is left. If a map cuts an object in two,
the half that is left gives the hidden half away. The classifier is rewarded where the
reconstructor errs, so its maps come to end where the image changes.
"""

import copy
from functools import partial
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.augment.segments import drawn_segment, hidden_parts
from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import min_max
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.agreement import weighed_gap
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.heads.classifier import Classifier
from wsss_lib.nets.heads.reconstructor import Reconstructor

CARD = Card(
    id="acr",
    name="ACR",
    title="Weakly Supervised Semantic Segmentation via Adversarial Learning of Classifier and "
    "Reconstructor",
    authors="Kweon, Yoon, Yoon",
    venue="CVPR",
    year=2023,
    supervision=("tags",),
    family="image_level/erasing",
    paper="doi:10.1109/CVPR52729.2023.01091",
    official="https://github.com/sangrockEG/ACR",
    survey_section="1",
    differs=(
        "both networks take their steps at once, each from what the other was before; in the "
        "released code the reconstructor goes first and the classifier meets it after its step",
        "one linear classifier; the released code puts a layer of 256 channels before it",
        "the decoder has no dropout, and the new layers learn at the rate of all new layers",
        "no jitter of colours",
        "an image without any class teaches the reconstructor; the released code has none",
        "on the toy world, features of fewer channels, a decoder of three halvings and a grid of "
        "8 by 8 cells, which are as large as four cells of the feature map, as the paper's are",
        "no RIB and no random walk after the maps",
    ),
)


class ACR(Method):
    """A classifier whose maps a reconstructor must fail to bridge.

    Args:
        classifier: (B, 3, H, W) images -> (B, C, h, w) raw maps.
        reconstructor: paints images from parts of its own features.
        teach: weights of what the reconstructor learns: to classify, to paint the whole image, the
            chosen class's segment from the rest, and the rest from the segment.
        fool: weights of the errors that the classifier is to cause: of the rest, painted from the
            segment, and of the segment, painted from the rest.
        cells: along each side of the image; what is to be painted is hidden in some of them.
        hidden: share of the cells that are hidden, when the training begins and at its end.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(52_880, batch_size=8, crop=256, long_side=(384, 512), freeze_norm=True)

    def __init__(
        self,
        classifier: Classifier,
        reconstructor: Reconstructor,
        teach: tuple[float, ...] = (1.0, 0.2, 0.3, 0.5),
        fool: tuple[float, ...] = (0.8, 0.3),
        cells: int = 16,
        hidden: tuple[float, float] = (0.2, 0.6),
        scales: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.classifier, self.reconstructor = classifier, reconstructor
        both = (classifier, reconstructor.classifier)
        self.backbone = nn.ModuleList([part.get_submodule("backbone") for part in both])
        self.teach, self.fool, self.scales = teach, fool, scales
        self.cells, self.hidden = cells, hidden

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        backbone = backbone or toy_cnn()
        rival = Reconstructor(copy.deepcopy(backbone), num_classes, (8, 8, 16), (16, 32, 64))
        method = cls(Classifier(backbone, num_classes), rival, cells=8, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What the classifier does against the reconstructor, and what that learns."""
        tags, image = batch.require("tags", CARD.name), batch.image
        maps, (rival, features) = self.classifier(image), self.reconstructor(image)
        segment, won = drawn_segment(maps, image, tags)
        (start, end), known, seen = self.hidden, segment.detach(), features.detach()
        inside, outside = hidden_parts(known, self.cells, start + (end - start) * self.progress)
        gap = partial(weighed_gap, self.classifier.backbone.standardize(image))
        paint, fooled = self.reconstructor.paint, self.reconstructor.paint_for_another
        return {
            "cls": tag_loss(maps.mean(dim=(2, 3)), tags),
            "fool_rest": -self.fool[0] * gap(fooled(seen * segment), (known == 0).to(known)),
            "fool_segment": -self.fool[1] * gap(fooled(seen * (1 - segment)), known * won),
            "rival": self.teach[0] * tag_loss(rival.mean(dim=(2, 3)), tags),
            "paint": self.teach[1] * gap(paint(seen), known.new_ones(1)),
            "paint_segment": self.teach[2] * gap(paint(features * (1 - inside)), inside),
            "paint_rest": self.teach[3] * gap(paint(features * (1 - outside)), outside),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): the classifier's maps over scales and flips, stretched to [0, 1]."""
        maps = multi_scale_flip(self.classifier, batch.image, self.scales)
        return min_max(maps, batch.tags)
