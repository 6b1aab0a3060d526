"""Everything that is measured: systems, their floors, and controls that lack the idea alone.

A contender answers by name in a ``Place``, a world at a dose, from images and weak labels; whatever
it builds on is a contender too and is trained once. Thresholds come from a world that is never
reported, with its masks, and lie in ``results/thresholds``; each variant of the toy world has its
own, of its usual knobs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from experiments.doses import TUNING_WORLD, Dose
from experiments.panoptic import ConnectedComponents
from wsss_lib.blocks.labels.paint import boxes_to_labels
from wsss_lib.blocks.regions.objectness import objectness_prior
from wsss_lib.core import Card, Method
from wsss_lib.data.folder import SegmentationFolder
from wsss_lib.data.full import MaskScores
from wsss_lib.data.toy import write_toy
from wsss_lib.data.view import WeakView
from wsss_lib.data.weak import Annotator
from wsss_lib.engine import Stage, infer, run, seed_everything
from wsss_lib.evaluate import choose_threshold, evaluate
from wsss_lib.losses.clicks import image_level_loss, objectness_loss
from wsss_lib.methods.foundation.clip_es import ClipES
from wsss_lib.methods.foundation.grounded_sam import GroundedSam
from wsss_lib.methods.foundation.mmcst import MMCST
from wsss_lib.methods.image_level.cam.cam import CAM
from wsss_lib.methods.image_level.cooccurrence.c_cam import CCAM
from wsss_lib.methods.image_level.ensemble.ficklenet import FickleNet
from wsss_lib.methods.image_level.ensemble.mdc import MDC
from wsss_lib.methods.image_level.extra_supervision.beco import BECO
from wsss_lib.methods.image_level.extra_supervision.eps import EPS
from wsss_lib.methods.image_level.online.mdba import MDBA
from wsss_lib.methods.point.pdml import PDML
from wsss_lib.methods.point.whats_the_point import WhatsThePoint
from wsss_lib.methods.refine.pamr import PAMR
from wsss_lib.methods.scribble.bpg import BPG
from wsss_lib.methods.segmentation.segmenter import Segmenter
from wsss_lib.nets.backbones.backbone import Backbone
from wsss_lib.nets.backbones.toy import toy_mit, toy_vit
from wsss_lib.nets.large.saliency import toy_saliency
from wsss_lib.nets.marks.guided import toy_guided
from wsss_lib.nets.segmentation.mlp import toy_segformer
from wsss_lib.recipes import BEFORE
from wsss_lib.results import commit, read_result, write_json
from wsss_lib.saliency import write_saliency
from wsss_lib.survey import find_methods

THRESHOLDS = Path(__file__).resolve().parents[1] / "results" / "thresholds"


@dataclass(frozen=True)
class Place:
    """A world at a dose; its number is the seed of every training there.

    Attributes:
        world: seed of the world.
        dose: what is turned.
        folder: worlds and checkpoints of all places.
        images: how many there are to learn from.
    """

    world: int
    dose: Dose
    folder: Path
    images: int = 512

    @cached_property
    def root(self) -> Path:
        """The world on disk."""
        name = f"world_{self.world}" + (f"_{self.images}" if self.images != 512 else "")
        return write_toy(
            self.folder / self.dose.place / name, self.world, self.dose.variant, self.images,
            knobs=self.dose.knobs, progress=False,
        )  # fmt: skip

    @cached_property
    def train(self) -> SegmentationFolder:
        """What is learned from, and scored with tags."""
        return SegmentationFolder(self.root, "train")

    @cached_property
    def val(self) -> SegmentationFolder:
        """New images."""
        return SegmentationFolder(self.root, "val")

    def view(
        self, supervision: tuple[str, ...], data: SegmentationFolder | None = None
    ) -> WeakView:
        """What the annotator of the dose tells about the images."""
        data = data or self.train
        if "saliency" in supervision:
            write_saliency(data, self._saliency())
        return WeakView(data, supervision, annotator=Annotator(**self.dose.annotator))

    def run(self, method: Method, supervision: tuple[str, ...], scores: Any = None) -> Stage:
        """Train a method, if it learns, and ask it about the training images."""
        view = self.view(supervision)
        view = view if scores is None else view.with_scores(scores)
        rivals = self.dose.rivals if reads_sentences(method) else 1.0
        runs = self.root.with_name(f"run_{self.root.name}_{rivals}")
        return run([method], view, folder=runs, seed=self.world)[0]

    def make(self, kind: Any, **options: Any) -> Any:
        """A method of the toy world, whose new weights depend on the seed alone."""
        seed_everything(self.world)
        method = kind.toy(len(self.train.classes), **options)
        if self.dose.rivals < 1 and reads_sentences(method):
            told = len(method.text) - method.num_classes
            method.text = method.text[: method.num_classes + round(self.dose.rivals * told)]
        return method

    def new_images(self, stage: Stage) -> Any:
        """What a trained method says of new images, of which it knows nothing else."""
        return infer(stage.method, WeakView(self.val, ()), stage.folder / "val")

    def _saliency(self) -> Callable[[Tensor], Tensor]:
        net, noise = toy_saliency(), self.dose.noise
        generator = torch.Generator().manual_seed(self.world)

        def look(image: Tensor) -> Tensor:
            disturbed = image + noise * torch.randn(image.shape, generator=generator)
            found: Tensor = net(disturbed.clamp(0, 1))
            return found

        return look


def reads_sentences(method: Method) -> bool:
    """Whether a method holds sentences: those of its classes, then those of backgrounds."""
    return hasattr(method, "text")


VIT_RATE = 1e-3
"""Learning rate of controls on the toy transformer, whose systems have it too (``rates``)."""


def cam(place: Place, steps: int = 300) -> Stage:
    """CAM for as many steps as a system takes in all."""
    method = place.make(CAM)
    method.recipe = replace(method.recipe, steps=steps)
    return place.run(method, ("tags",))


def cam_once(place: Place) -> Stage:
    """CAM that sees each image as OAA does: neither mirrored nor moved, at one size."""
    method = place.make(CAM)
    method.recipe = replace(method.recipe, flip=False, shift=0)
    method.scales, method.flip = (1.0,), False
    return place.run(method, ("tags",))


def first_round(place: Place) -> Stage:
    """C-CAM whose first round lasts to the end, so that it never has a context or a prior.

    It begins with the weights of C-CAM. Between trainings of CAM on slices that begin with others
    lie up to .1 of mean IoU, more than an idea can be expected to give.
    """
    method = place.make(CCAM)
    method.rounds = 1
    return place.run(method, ("tags",))


def cam_in_groups(
    place: Place, images: int, size: int, scales: tuple[float, ...] = (1.0, 1.5)
) -> Stage:
    """CAM that sees images in groups that share a class, as systems between images do."""
    method = place.make(CAM)
    method.recipe = replace(method.recipe, batch_size=size, group=images)
    method.scales = scales
    return place.run(method, ("tags",))


def undropped(place: Place) -> Stage:
    """FickleNet whose convolution drops nothing, so that one draw is all of them."""
    method = place.make(FickleNet)
    method.rate, method.passes = 0.0, 1
    return place.run(method, ("tags",))


def undilated(place: Place) -> Stage:
    """MDC whose branches all look at what is next to them."""
    method = place.make(MDC)
    for branch in method.branches:
        branch.dilation = branch.padding = (1, 1)
    return place.run(method, ("tags",))


def asked_again(trained: Stage, method: Method, place: Place, name: str) -> Stage:
    """A training that is asked once more, by a method that makes something else of its weights."""
    method.load_state_dict(trained.method.state_dict())
    view = place.view(method.card.supervision)
    if method.card.needs_scores:
        view = view.with_scores(contend(BEFORE.get(method.card.id, "cam"), place).scores)
    return replace(trained, method=method, scores=infer(method, view, trained.folder / name))


def one_draw(rate: float) -> Callable[[Place], Stage]:
    """FickleNet as it was trained, asked once, with a rate of dropping of its own."""

    def stage(place: Place) -> Stage:
        method = place.make(FickleNet)
        method.rate, method.passes = rate, 1
        return asked_again(contend("ficklenet", place), method, place, f"asked_{rate}_1")

    return stage


def cam_on_vit(place: Place, steps: int = 300, backbone: Callable[[], Backbone] = toy_vit) -> Stage:
    """CAM on the toy transformer, or on another backbone that learns at its rate."""
    method = place.make(CAM, backbone=backbone())
    method.recipe = replace(method.recipe, steps=steps, lr=VIT_RATE)
    return place.run(method, ("tags",))


def refined(name: str) -> Callable[[Place], Stage]:
    """PAMR on the scores of another contender."""
    return lambda place: place.run(place.make(PAMR), ("tags",), contend(name, place).scores)


def taught_by(
    name: str, steps: int = 400, vit: bool = False, kind: type[Segmenter] = Segmenter
) -> Callable[[Place], Stage]:
    """A segmentation network, on the toy transformer or not, taught by another contender."""

    def stage(place: Place) -> Stage:
        net = place.make(kind, backbone=toy_vit() if vit else None)
        net.recipe = replace(net.recipe, steps=steps)
        if vit:
            net.recipe = replace(net.recipe, lr=VIT_RATE)
        net.threshold = threshold_of(name, place.folder, place.dose.variant)
        return place.run(net, ("tags",), contend(name, place).scores)

    return stage


def taught_by_masks(share: float) -> Callable[[Place], Stage]:
    """A segmentation network taught by the masks of the first share of the training images."""

    def stage(place: Place) -> Stage:
        data = place.train if share == 1 else place.train.held_out(share)[0]
        net = place.make(Segmenter)
        net.threshold = 0.5
        view = WeakView(data).with_scores(MaskScores(data))
        runs = place.root.with_name(f"run_{place.root.name}_masks_{share}")
        taught = run([net], view, folder=runs, seed=place.world)[0]
        scores = infer(net, place.view(("tags",)), taught.folder / "all")
        return replace(taught, scores=scores)

    return stage


def made_with(place: Place, kind: Any, settings: Mapping[str, Any]) -> Any:
    """A method of the toy world, some of whose settings are others."""
    method = place.make(kind)
    for name, value in settings.items():
        setattr(method, name, value)
    return method


def beco_with(teacher: str = BEFORE[BECO.card.id], **settings: float) -> Callable[[Place], Stage]:
    """BECO with other settings, or taught by another contender."""

    def stage(place: Place) -> Stage:
        method = made_with(place, BECO, settings)
        method.threshold = threshold_of(teacher, place.folder, place.dose.variant)
        return place.run(method, ("tags",), contend(teacher, place).scores)

    return stage


two_segmenters = beco_with(share=1.0, mixed=0.0)
"""Two networks that trust all labels, ask each other nothing, and see nothing pasted."""


def saliency_labels(place: Place) -> Stage:
    """MDBA that believes all labels, mixes nothing, and is asked by nobody to fool anybody."""
    method = place.make(MDBA)
    method.denoise, method.mixed, method.fool = (2.0, 3.0), 0.0, 0.0
    return place.run(method, MDBA.card.supervision)


def clicks_alone(place: Place) -> Stage:
    """PDML that never compares clicks, and never takes a pixel for another click."""
    return place.run(made_with(place, PDML, {"weight": 0.0, "start": 2.0}), PDML.card.supervision)


def where_salient(maps: Tensor, batch: Any) -> Tensor:
    """(B, C, H, W): the strongest class of a pixel is as likely as that anything is there."""
    saliency = batch.require("saliency", "a background that is what no saliency map shows")
    return maps / maps.amax(dim=1, keepdim=True).clamp(min=1e-6) * saliency * (maps > 0)


class SalientCAM(CAM):
    """CAM whose background is what no saliency map shows: the cue of many systems, alone."""

    card = replace(
        CAM.card, id="cam_saliency", supervision=("tags", "saliency"), needs=EPS.card.needs
    )

    def predict(self, batch: Any) -> Tensor:
        """(B, C, H, W)."""
        return where_salient(super().predict(batch), batch)


class MixSegmenter(Segmenter):
    """The network that answers for AFA, without its classifier and its affinities."""

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """On the toy mix transformer, at the rate of transformers."""
        method = cls(toy_segformer(num_classes))
        method.recipe = replace(Segmenter.toy(num_classes).recipe, lr=VIT_RATE)
        return method


class TagsNetwork(WhatsThePoint):
    """What's the Point without its clicks: the same network and prior, from tags."""

    card = replace(WhatsThePoint.card, id="tags_network", supervision=("tags",))

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """What is there, and where there is anything at all."""
        tags, logits = batch.require("tags", self.card.name), self.net(batch.image)
        prior = objectness_prior(batch.image, self.count, self.power)
        return {
            "image": image_level_loss(logits, tags),
            "object": objectness_loss(logits, prior),
        }


class Unguided(BPG):
    """BPG without its boundary branch: the same prediction refinement, from strokes alone."""

    card = replace(BPG.card, id="unguided", needs=())

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """No features of boundaries join the refinement, and no edges are learned."""
        method = cls(toy_guided(num_classes, backbone, edges=0))
        method.recipe = BPG.toy(num_classes).recipe
        return method


class PlainClip(ClipES):
    """Grad-CAM of CLIP's plain logits: CLIP-ES without rivals and without attention."""

    card = replace(ClipES.card, id="clip_logits")

    def judge(self, images: Tensor, tags: Tensor) -> Tensor:
        """(B, E) embedded images -> (B, C) logits, whatever the tags say."""
        return self.clip.logits(images, self.text[: self.num_classes])

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """The tiny CLIP, whose maps are not carried along its attention."""
        method = super().toy(num_classes, backbone)
        method.layers = 0
        return method


class FreeTokens(nn.Module):
    """Tokens that are learned, in the place of sentences; no image adds anything to them."""

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        self.own = nn.Parameter(nn.init.trunc_normal_(torch.empty_like(like), std=0.02))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> (C, D), and zeros (B, C, D)."""
        return self.own, torch.zeros_like(self.own).expand(len(image), -1, -1)


class VisualTokens(MMCST):
    """MMCST whose textual tokens are learned like its visual ones: it hears of no sentence."""

    card = replace(MMCST.card, id="visual_tokens", needs=(), reads_names=False)

    @classmethod
    def toy(cls, num_classes: int, backbone: Any = None) -> Self:
        """As many tokens as MMCST has, and no CLIP."""
        method = super().toy(num_classes, backbone)
        method.text_tokens = FreeTokens(method.transformer.tokens)
        return method


class DetectedBoxes(GroundedSam):
    """Grounded SAM without SAM: what lies in a box of the detector has its class."""

    card = replace(GroundedSam.card, id="detected_boxes")

    def labels(self, image: Tensor, present: Sequence[int]) -> Tensor:
        """(3, H, W) and the indices of the present classes -> (H, W) class indices."""
        boxes, kinds = self.boxes(image, present)
        h, w = image.shape[-2:]
        corners = boxes.round().long().clamp(min=0).minimum(torch.tensor([w, h, w, h]))
        return boxes_to_labels([torch.column_stack([corners, torch.tensor(kinds)])], (h, w))[0]


ALONE = (
    SalientCAM, TagsNetwork, Unguided, PlainClip, VisualTokens, DetectedBoxes, ConnectedComponents,
)  # fmt: skip
"""Controls with a class of their own."""


def rivals_alone(place: Place) -> Stage:
    """CLIP-ES as Grad-CAM makes its maps, before they are carried along the attention."""
    method = place.make(ClipES)
    method.layers = 0
    return place.run(method, ClipES.card.supervision)


def run_as(kind: Any) -> Callable[[Place], Stage]:
    """A control from the weak labels of its card."""
    return lambda place: place.run(place.make(kind), kind.card.supervision)


@dataclass(frozen=True)
class Maker:
    """How a contender that is no system of the survey comes about.

    Attributes:
        card: what it needs, and how it answers.
        stage: trains it.
    """

    card: Card
    stage: Callable[[Place], Stage]


TAUGHT = replace(Segmenter.card, supervision=("tags",))
"""A segmentation network whose pseudo-masks come from tags."""
TAUGHT_BY_BOXES = replace(Segmenter.card, supervision=("boxes",))

MAKERS: dict[str, Maker] = {
    "cam_150": Maker(CAM.card, lambda place: cam(place, 150)),
    "cam_360": Maker(CAM.card, lambda place: cam(place, 360)),
    "cam_600": Maker(CAM.card, lambda place: cam(place, 600)),
    "cam_once": Maker(CAM.card, cam_once),
    "first_round": Maker(CCAM.card, first_round),
    "cam_pairs": Maker(CAM.card, lambda place: cam_in_groups(place, 2, 16)),
    "cam_pairs_at_one_size": Maker(
        CAM.card, lambda place: cam_in_groups(place, 2, 16, scales=(1.0,))
    ),
    "cam_triples": Maker(CAM.card, lambda place: cam_in_groups(place, 3, 15)),
    "undropped": Maker(FickleNet.card, undropped),
    "undilated": Maker(MDC.card, undilated),
    "ficklenet_whole": Maker(FickleNet.card, one_draw(0.0)),
    "ficklenet_once": Maker(FickleNet.card, one_draw(0.7)),
    "cam_vit": Maker(CAM.card, cam_on_vit),
    "cam_vit_150": Maker(CAM.card, lambda place: cam_on_vit(place, 150)),
    "cam_mit_150": Maker(CAM.card, lambda place: cam_on_vit(place, 150, toy_mit)),
    "pamr_vit": Maker(PAMR.card, refined("cam_vit")),
    **{kind.card.id: Maker(kind.card, run_as(kind)) for kind in ALONE},
    "clip_rivals": Maker(ClipES.card, rivals_alone),
    "two_segmenters": Maker(BECO.card, two_segmenters),
    "saliency_labels": Maker(MDBA.card, saliency_labels),
    "point_pce": Maker(PDML.card, clicks_alone),
    "two_stages": Maker(TAUGHT, taught_by("cam_150", 150)),
    "two_stages_vit": Maker(TAUGHT, taught_by("cam_vit_150", 150, vit=True)),
    "two_stages_mit": Maker(TAUGHT, taught_by("cam_mit_150", 150, kind=MixSegmenter)),
    "segmenter_cam": Maker(TAUGHT, taught_by("cam")),
    "segmenter_pamr": Maker(TAUGHT, taught_by("pamr")),
    "segmenter_affinitynet": Maker(TAUGHT, taught_by("affinitynet")),
    "segmenter_bbox_rect": Maker(TAUGHT_BY_BOXES, taught_by("bbox_rect")),
    "segmenter_grabcut": Maker(TAUGHT_BY_BOXES, taught_by("grabcut")),
    "fifty_one_masks": Maker(Segmenter.card, taught_by_masks(0.1)),
    "ceiling": Maker(Segmenter.card, taught_by_masks(1)),
}
"""Contenders that are no system of the survey as it stands."""


def card_of(name: str) -> Card:
    """The card of a contender."""
    card: Card = MAKERS[name].card if name in MAKERS else find_methods()[name].card
    return card


def contend(name: str, place: Place) -> Stage:
    """Train a contender, or take what was trained before."""
    if name in MAKERS:
        return MAKERS[name].stage(place)
    kind = find_methods()[name]
    method = place.make(kind)
    if not kind.card.needs_scores:
        return place.run(method, kind.card.supervision)
    teacher = BEFORE.get(name, "cam")
    if getattr(method, "threshold", 0.0) is None:
        method.threshold = threshold_of(teacher, place.folder, place.dose.variant)
    return place.run(method, kind.card.supervision, contend(teacher, place).scores)


def threshold_of(name: str, folder: Path, variant: str = "standard") -> float:
    """Where labels are cut from the scores of a contender.

    Scores that weigh classes against a background of their own are cut at one half. For others the
    best threshold of the tuning world is taken; it is chosen once, on all masks of its training
    images, and kept. Worlds of another variant, such as slices through a body, have other scores:
    their threshold comes from the tuning world of that variant, none of its knobs turned.
    """
    if card_of(name).own_background:
        return 0.5
    path = THRESHOLDS / (f"{name}.json" if variant == "standard" else f"{name}_{variant}.json")
    if path.is_file():
        return float(read_result(path)["threshold"])
    place = Place(TUNING_WORLD, Dose(0.0, variant=variant), folder)
    scores = contend(name, place).scores
    threshold = choose_threshold(scores, place.train)
    rule = f"masks of world {TUNING_WORLD}" + f", {variant}" * (variant != "standard")
    found = {
        "contender": name, "threshold": threshold, "rule": rule,
        "miou": evaluate(scores, place.train, boundary=False).curve.tolist(), "commit": commit(),
    }  # fmt: skip
    write_json(path, found)
    return threshold
