"""RAWKS: random walks carry strokes over the picture, and learn which borders not to cross.

A walk that starts at an unlabelled pixel ends at the first stroke that it meets. Where it ends, and
how surely, is a label for the pixel. The walk avoids boundaries, and nobody drew any: the gradient
of the disagreement between these labels and a segmentation network passes through the walk.
"""

from typing import Self

from torch import Tensor

from wsss_lib.blocks.labels.paint import shrink_labels
from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, resize_like
from wsss_lib.blocks.refine.random_walker import boundary_edges, random_walker
from wsss_lib.core import IGNORE, Batch, Card, Method, Recipe
from wsss_lib.losses.pixels import pixel_loss, walked_pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.segmentation.contour import ContourNet
from wsss_lib.nets.segmentation.deeplab import toy_deeplab

CARD = Card(
    id="rawks",
    name="RAWKS",
    title="Learning Random-Walk Label Propagation for Weakly-Supervised Semantic Segmentation",
    authors="Vernaza, Chandraker",
    venue="CVPR",
    year=2017,
    supervision=("scribble",),
    family="scribble",
    paper="arXiv:1802.00470",
    survey_section="3.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reduced",
    differs=(
        "no code was released: written from the abstract and from the equations as known to us",
        "one backbone serves the segmentation and the boundaries; the paper has two predictors",
        "a walk steps to a neighbour with a chance in proportion to exp(-(B_p + B_q) / 2), as in "
        "Grady's random walker; the paper weighs whole paths by the boundaries on them",
        "walks run on a grid coarser than the image, whose cells take the class drawn most in them",
        "the weight of an uncertain pixel is given no gradient, or doubt would lower the loss",
        "drawn and other pixels are averaged, where the paper sums: neither kind drowns the other",
        "no dense CRF after the network",
    ),
)


class RAWKS(Method):
    """A segmentation network and boundaries that must agree on where strokes spread.

    Args:
        net: (B, 3, H, W) images -> logits (B, K, H, W), boundaries (B, 1, h, w) in [0, 1].
        alpha: how fast the weight of a pixel falls with the entropy of where its walks end.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(self, net: ContourNet, alpha: float = 1.0) -> None:
        super().__init__()
        self.net, self.backbone, self.alpha = net, net.get_submodule("backbone"), alpha

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(ContourNet(toy_deeplab(num_classes, backbone), size_of=0))
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def spread(self, edge: Tensor, scribble: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
        """Where walks end that cross a boundary e with the weight 1 - e.

        Args:
            edge: (B, 1, h, w) in [0, 1].
            scribble: (B, H, W) labels, 255 where nobody drew.
            num_classes: K, background included.

        Returns:
            (B, K, h, w) chances, and (B, h, w) booleans, the cells where nobody drew; none of an
            image without a stroke.
        """
        seeds = shrink_labels(scribble, (edge.shape[-2], edge.shape[-1]), num_classes)
        blank = (seeds == IGNORE).all(dim=2).all(dim=1)
        seeds = seeds.masked_fill(blank[:, None, None], 0)
        edges = boundary_edges(-(1 - edge).clamp(min=1e-6).log())
        return random_walker(edges, seeds, num_classes, tolerance=1e-3), seeds == IGNORE

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Strokes teach the network; elsewhere it and the walks teach each other."""
        scribble = batch.require("scribble", CARD.name)
        logits, edge = self.net(batch.image)
        chances, free = self.spread(edge, scribble, logits.shape[1])
        walk = walked_pixel_loss(resize_like(logits, edge), chances, free, self.alpha)
        return {"seg": pixel_loss(logits, scribble), "walk": walk}

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image)[0].softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
