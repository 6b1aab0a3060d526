"""BPG: a stroke says nothing of borders, but an edge map may, if the network is made to draw one.

An answer is refined step by step, from coarse features to fine ones. Beside it a branch of the same
network redraws an edge map that knows no classes, and the features from which it does so join each
step of the refinement.
"""

from typing import Self

import torch
from torch import Tensor

from wsss_lib.blocks.maps.class_maps import foreground_scores, keep_present, resize_like
from wsss_lib.blocks.regions.superpixels import edge_map
from wsss_lib.core import Batch, Card, Method, Recipe
from wsss_lib.losses.boundaries import edge_loss
from wsss_lib.losses.pixels import pixel_loss
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.marks.guided import GuidedNet, toy_guided

CARD = Card(
    id="bpg",
    name="BPG",
    title="Boundary Perception Guidance: A Scribble-Supervised Semantic Segmentation Approach",
    authors="Wang, Qi, Tang, Zhang, Wei, Li, Zhang",
    venue="IJCAI",
    year=2019,
    supervision=("scribble",),
    family="scribble",
    paper="doi:10.24963/ijcai.2019/508",
    survey_section="3.2",
    uses_tags_at_inference=False,
    own_background=True,
    fidelity="reconstruction",
    differs=(
        "written from the abstract and a figure's caption: no code was released; losses, weights "
        "and where the branches meet are ours",
        "edge maps are gradients of smoothed colours, for which nobody drew anything, where the "
        "paper's come from a detector that learned what people drew",
        "edges are learned by cross-entropy, in which edges and all else count alike",
        "the boundary branch reads all feature maps, deep ones as well",
        "strokes teach every step of the refinement, with one weight",
        "on the toy world, a step at the size of the picture",
        "no dense CRF after the network",
    ),
)


class BPG(Method):
    """A segmentation network that draws edges in order to place borders.

    Args:
        net: answers step by step, and draws edges; ``net.backbone`` learns slowly.
        edge: weight of the edges beside the strokes.
        sigma: standard deviation of the smoothing before gradients are taken, in pixels.
    """

    card = CARD
    recipe = Recipe(steps=20_000, batch_size=10, lr=2.5e-4, crop=321, scale=(0.5, 1.5))

    def __init__(self, net: GuidedNet, edge: float = 1.0, sigma: float = 2.0) -> None:
        super().__init__()
        self.net, self.backbone = net, net.get_submodule("backbone")
        self.edge, self.sigma = edge, sigma

    @classmethod
    def toy(cls, num_classes: int, backbone: Backbone | None = None) -> Self:
        """The sizes and the recipe of the toy world, on the toy backbone or another."""
        method = cls(toy_guided(num_classes, backbone), sigma=1.0)
        method.recipe = Recipe.toy(steps=400, lr=4e-3, head_factor=1.25)
        return method

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Partial cross-entropy of every step, and the edges, if the network draws them."""
        scribble, image = batch.require("scribble", CARD.name), batch.image
        answers, boundary = self.net.read(image)
        each = [pixel_loss(resize_like(answer, image), scribble) for answer in answers]
        terms = {"seg": torch.stack(each).sum()}
        if boundary is not None:
            edges = torch.stack([edge_map(picture, self.sigma) for picture in image])
            terms["edge"] = self.edge * edge_loss(resize_like(boundary, image)[:, 0], edges)
        return terms

    def predict(self, batch: Batch) -> Tensor:
        """(B, C, H, W): each class against the background; 0.5 is the network's own argmax."""
        probabilities = self.net(batch.image).softmax(dim=1)
        return keep_present(foreground_scores(probabilities), batch.tags)
