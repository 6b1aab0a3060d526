"""CLIMS: CLIP judges what a class map lets through, and its judgement trains the map.

What the map shows should look like the class and like no background; what it hides should no
longer look like the class. CLIP is frozen: gradients pass through it to the masked image.
"""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

from wsss_lib.blocks.maps.cam import multi_scale_flip
from wsss_lib.blocks.maps.class_maps import normalize, resize
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
        "one list of backgrounds for all classes, as in the released code; the paper lists them "
        "class by class",
        "the first part of one training is that of a CAM, at CLIMS's learning rate; the paper "
        "starts from a trained CAM",
        "classes are called by their names; the released code writes 'player' for person",
        "what is hidden becomes CLIP's mean colour and CLIP's own normalisation is used; the "
        "released code hides and normalises by ImageNet's means",
        "all layers learn; the authors keep the first convolution and its batch norm",
        "on the toy world CLIP is tiny, its cosines have another range than those that the weights "
        "and the gate were made for, and its backgrounds are the six grounds",
        "no random walk behind the maps: irnet can follow as a later stage",
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
        start: share of the training that is a CAM's; a quarter are its five epochs before fifteen.
        scales: sizes at which an image is looked at when predicting.
    """

    card = CARD
    recipe = Recipe(steps=13_200, lr=2.5e-4, weight_decay=1e-4, crop=512, long_side=(320, 640))

    def __init__(
        self,
        backbone: Backbone,
        clip: Clip,
        classes: Sequence[str],
        backgrounds: Sequence[str],
        weights: tuple[float, float, float, float] = (10.0, 24.0, 1.0, 0.2),
        gate: float = 0.26,
        start: float = 0.25,
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
        """What CLIP says of the shown and the hidden part of each present class, and the area.

        Means go over the (image, class) pairs; backgrounds are summed over pairs and sentences, and
        the area is the mean of all maps, those of absent classes too: the weights are made for it.
        """
        tags, maps = batch.require("tags", CARD.name), self.class_maps(batch.image)
        b, k = (tags > 0).nonzero(as_tuple=True)
        if self.progress < self.start or not len(b):
            return {"cls": tag_loss(maps.mean(dim=(2, 3)), tags)}
        size = (self.clip.size, self.clip.size)
        image, shown = resize(batch.image, size)[b], resize(maps.sigmoid(), size)[b, k][:, None]
        inside, outside = (self.cosines(image, part) for part in (shown, 1 - shown))
        near, own = inside[:, self.num_classes :], k[:, None]
        return {
            "shown": -self.weights[0] * inside.gather(1, own).log().mean(),
            "hidden": -self.weights[1] * (1 - outside.gather(1, own)).log().mean(),
            "backgrounds": -self.weights[2] * ((1 - near).log() * (near > self.gate)).sum(),
            "area": self.weights[3] * maps.sigmoid().mean(),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): rectified logits, summed over scales and flips, over their maximum.

        The sigmoid is for the loss alone: it answers one half where the class map says nothing.
        """
        return normalize(multi_scale_flip(self.class_maps, batch.image, self.scales), batch.tags)
