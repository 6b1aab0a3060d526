"""CLIMS: CLIP judges what a class map lets through, and its judgement trains the map.

What the map shows should look like the class and like no background; what it hides should no
longer look like the class. CLIP is frozen: gradients pass through it to the masked image.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, resize_like
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.tags import tag_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_cnn
from wsss_lib.nets.large.clip import Clip, load_clip
from wsss_lib.nets.large.vocabulary import CLASSES, PLACES

CARD = Card(
    id="clims",
    name="CLIMS",
    title="CLIMS: Cross Language Image Matching for Weakly Supervised Semantic Segmentation",
    authors="Xie, Hou, Ye, Shen",
    venue="CVPR",
    year=2022,
    supervision=("tags",),
    family="foundation",
    paper="arXiv:2203.02668",
    official="https://github.com/CVI-SZU/CLIMS",
    survey_section="4",
    needs=("pairs of images and sentences, by CLIP",),
    differs=(
        "one list of backgrounds for all classes; the paper lists them class by class",
        "the first part of one training is that of a CAM; the paper starts from a trained CAM",
        "no random walk behind the maps",
    ),
    reads_names=True,
    fidelity="reduced",
)


class CLIMS(Method):
    """Class maps that learn from CLIP.

    Args:
        backbone: features whose last map the classifier reads.
        clip: frozen; ``load_clip("openai/clip-vit-base-patch32")`` is the paper's.
        classes: sentences, one for each of the C classes.
        backgrounds: sentences of what classes appear with.
        weights: of what is shown, what is hidden, backgrounds, and area.
        gate: a background counts only where what is shown is closer to it than this cosine.
        start: share of the training that is a CAM's.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(steps=10_000, lr=2.5e-4, weight_decay=1e-4, crop=512, scale=(0.5, 1.5))

    def __init__(
        self,
        backbone: Backbone,
        clip: Clip,
        classes: Sequence[str],
        backgrounds: Sequence[str],
        weights: tuple[float, float, float, float] = (10.0, 24.0, 1.0, 0.2),
        gate: float = 0.26,
        start: float = 0.0,
        scales: Sequence[float] = (0.5, 1.0, 1.5, 2.0),
    ) -> None:
        super().__init__()
        self.backbone, self.clip, self.num_classes = backbone, clip, len(classes)
        self.classifier = nn.Conv2d(backbone.channels[-1], len(classes), 1, bias=False)
        self.weights, self.gate, self.start, self.scales = weights, gate, start, scales
        self.text = nn.Buffer(clip.text_features([*classes, *backgrounds]), persistent=False)

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        classes = [f"a photo of a {name}" for name in CLASSES[:num_classes]]
        places, net = [f"a photo of the {name}" for name in PLACES], backbone or toy_cnn()
        method = cls(net, load_clip(), classes, places, start=2 / 3, scales=(1.0, 1.5))
        method.recipe = Recipe.toy(steps=300, lr=5e-3, head_factor=2)
        return method

    def class_maps(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> raw class maps (B, C, h, w), any real values."""
        return self.classifier(self.backbone(image)[-1])

    def cosines(self, image: Tensor, shown: Tensor) -> Tensor:
        """Images (n, 3, H, W), grey where (n, 1, H, W) shows nothing -> (n, sentences) of CLIP."""
        grey = self.clip.standardize.mean
        cosines = self.clip.image_features(grey + shown * (image - grey)) @ self.text.t()
        return cosines.clamp(1e-4, 0.9999)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What CLIP says of the shown and the hidden part of each present class, and the area."""
        tags, maps = batch.require("tags", CARD.name), self.class_maps(batch.image)
        b, k = (tags > 0).nonzero(as_tuple=True)
        if self.progress < self.start or not len(b):
            return {"cls": tag_loss(maps.mean(dim=(2, 3)), tags)}
        shown = resize_like(maps.sigmoid(), batch.image)[b, k][:, None]
        inside, outside = (self.cosines(batch.image[b], part) for part in (shown, 1 - shown))
        near, own = inside[:, self.num_classes :], k[:, None]
        return {
            "shown": -self.weights[0] * inside.gather(1, own).log().mean(),
            "hidden": -self.weights[1] * (1 - outside.gather(1, own)).log().mean(),
            "backgrounds": -self.weights[2] * ((1 - near).log() * (near > self.gate)).sum(1).mean(),
            "area": self.weights[3] * shown.mean(),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): sigmoid maps over scales and flips, each divided by its maximum."""
        maps = multi_scale_flip(lambda x: self.class_maps(x).sigmoid(), batch.image, self.scales)
        return normalize(maps, batch.tags)
