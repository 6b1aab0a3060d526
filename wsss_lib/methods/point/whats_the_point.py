"""What's the Point: one click on each object, and a sense of what an object is.

A click says where a class is, not how far it reaches. How far an object reaches can be guessed
without knowing what it is; this guess, a map of objectness, tells all foreground classes together
where to be, and the clicks tell them apart.
"""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.labels.paint import points_to_labels, present_in
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present
from wsss_lib.blocks.regions.objectness import objectness_prior
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.clicks import image_level_loss, objectness_loss, point_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.deeplab import DeepLab, toy_deeplab

CARD = Card(
    id="whats_the_point",
    name="What's the Point",
    title="What's the Point: Semantic Segmentation with Point Supervision",
    authors="Bearman, Russakovsky, Ferrari, Fei-Fei",
    venue="ECCV",
    year=2016,
    supervision=("points",),
    family="point",
    paper="arXiv:1506.02106",
    official="https://github.com/abearman/whats-the-point1",
    survey_section="3.3",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "objectness is the contrast of superpixels with the frame of the picture, not the sum of "
        "the windows of Alexe et al., whose scores were learned from boxes",
        "the classes of an image are those of its clicks",
        "one annotator, so all clicks weigh the same, and they are added up, as in the paper's "
        "equation 3; the released layer divides by their number",
        "DeepLab in place of FCN-32s",
    ),
)


class WhatsThePoint(Method):
    """A segmentation network that learns from clicks and a class-agnostic prior.

    Args:
        net: (B, 3, H, W) images -> (B, K, H, W) logits; ``net.backbone`` learns slowly.
        num_classes: C, without background.
        count: superpixels of the objectness prior.
        power: of the prior; below 1, less contrast is enough for an object.
    """

    card = CARD
    recipe = Recipe(steps=80_000, batch_size=20, lr=1e-5, power=0.0, crop=321)

    def __init__(
        self, net: DeepLab, num_classes: int, count: int = 200, power: float = 0.5
    ) -> None:
        super().__init__()
        self.net, self.backbone = net, net.backbone
        self.num_classes, self.count, self.power = num_classes, count, power

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_deeplab(num_classes, backbone), num_classes, count=60)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """What is there, where it was clicked, and where there is anything at all."""
        points, logits = batch.require("points", CARD.name), self.net(batch.image)
        tags = present_in([of_image[:, 2] for of_image in points], self.num_classes)
        clicks = points_to_labels(points, (logits.shape[-2], logits.shape[-1]))
        return {
            "image": image_level_loss(logits, tags),
            "point": point_loss(logits, clicks),
            "object": objectness_loss(
                logits, objectness_prior(batch.image, self.count, self.power)
            ),
        }

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
