"""At which failure each idea is measured: doses, home dose and primary response of every family.

Written down before the first system was trained on these worlds; a later change is shown on the
page of the family, beside the curve that it replaces. Doses are ordered from where the failure is
absent to where it is strongest, or from little of the idea to all of it. The *home* dose is the one
at which the idea is judged: five worlds there, two at each other dose.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from wsss_lib.data.toy import VARIANTS

Response = Literal["body_recall", "boat_iou", "miou", "val_miou", "boundary_iou", "pq"]
RESPONSES: dict[Response, str] = {
    "body_recall": "share of the bodies that is found, at the precision of the control",
    "boat_iou": "IoU of boat",
    "miou": "mean IoU",
    "val_miou": "mean IoU on new images, without their tags",
    "boundary_iou": "IoU of the bands along the outlines (boundary IoU)",
    "pq": "panoptic quality on new images",
}
"""What is read off; gains are those over the control, in the same world."""
FEWEST, MOST = 2, 5
"""Worlds at a dose, and at the home dose."""
STANDARD = 3
"""Worlds of the standard table."""
FLOORS = {
    "tags": "cam",
    "points": "cam",
    "boxes": "bbox_rect",
    "extremes": "bbox_rect",
    "scribble": "pce",
}
"""What labels give without an idea: the least that a system of the standard table must beat."""
TUNING_WORLD = 99
"""The world that thresholds come from, whose masks are used for nothing else; never reported."""


@dataclass(frozen=True)
class Dose:
    """How far the knob of a family is turned.

    Attributes:
        value: as it stands at the axis.
        knobs: fields of the world's knobs that differ from what is usual there.
        annotator: fields of ``Annotator`` that differ from the usual one.
        noise: deviation of what is added to the pictures before saliency is asked for, in [0, 1].
        rivals: share of the sentences of the background that a CLIP is told; 1 is all.
        variant: key of ``wsss_lib.data.toy.VARIANTS``.
    """

    value: float
    knobs: dict[str, Any] = field(default_factory=dict)
    annotator: dict[str, Any] = field(default_factory=dict)
    noise: float = 0.0
    rivals: float = 1.0
    variant: str = "standard"

    @property
    def place(self) -> str:
        """Folder of its worlds; doses that see the same pictures share them."""
        turned = [f"{name}={value}" for name, value in sorted(self.knobs.items())]
        named = [self.variant] * (self.variant != "standard")
        return _folder(named + turned + ([f"noise={self.noise}"] if self.noise else []))

    @property
    def where(self) -> str:
        """Folder of what is measured at it: the place, and what else is turned."""
        other = [f"{key}={value}" for key, value in self.annotator.items()]
        return _folder([self.place, *other, *([f"rivals={self.rivals:.2f}"] * (self.rivals < 1))])


def _folder(parts: list[str]) -> str:
    return "_".join(parts).translate(str.maketrans("", "", " '(){}:[]")) or "standard"


@dataclass(frozen=True)
class Family:
    """What a family of ideas is measured by.

    Attributes:
        failure: what its ideas mend, in a few words.
        axis: what the values of its doses are.
        doses: three, from the failure's absence to its strength.
        home: index of the dose at which it is judged.
        response: the primary one.
        controls: system -> what has the same steps, views and labels without the idea.
    """

    failure: str
    axis: str
    doses: tuple[Dose, Dose, Dose]
    home: int
    response: Response
    controls: dict[str, str]

    @property
    def variant(self) -> str:
        """Of the toy world; all doses of a family share it."""
        return self.doses[self.home].variant

    @property
    def classes(self) -> tuple[str, ...]:
        """Foreground classes of its worlds."""
        return VARIANTS[self.variant].classes

    def worlds(self, number: int) -> range:
        """Worlds, and seeds, at a dose."""
        return range(MOST if number == self.home else FEWEST)


def _typical(share: float) -> dict[str, float]:
    return {"typical_hue": share, "typical_surface": share}


PARTIAL = (Dose(0.9, _typical(0.9)), Dose(0.7), Dose(0.5, _typical(0.5)))
"""A body that seldom looks like its class leaves the head as the only sure cue."""
TONES = (Dose(0.0), Dose(0.5, {"two_tone": 0.5}), Dose(1.0, {"two_tone": 1.0}))
BOW = {"weak_head": {"boat": 0.4}}
WATER = (
    Dose(0.25, BOW),
    Dose(0.6, {**BOW, "cooccurrence": (0.6, 0.5)}),
    Dose(0.97, {**BOW, "cooccurrence": (0.97, 0.5)}),
)
SLICES = (
    Dose(0.0, {"overlap": 0.0}, variant="organs"),
    Dose(0.5, variant="organs"),
    Dose(0.8, {"overlap": 0.8}, variant="organs"),
)
"""At home organs lie as they do in the toy body; C-CAM and its control take as many steps."""
CAMOUFLAGE = (Dose(0.03), Dose(0.3, {"camouflage": 0.3}), Dose(0.6, {"camouflage": 0.6}))
"""Colour says where an object ends, until it has the colour of the ground."""
RARE = (
    Dose(1.0),
    Dose(0.5, {"weights": {"boat": 0.5}}),
    Dose(0.25, {"weights": {"boat": 0.25}}),
)
"""Of 512 pictures, about 112, 63 and 33 show a boat."""
SURFACES = (Dose(0.07, {"amplitude": 0.07}), Dose(0.14), Dose(0.28, {"amplitude": 0.28}))
"""Stripes and dots inside an object are edges too."""
CARELESS = (
    Dose(0.0),
    Dose(0.1, annotator={"box_jitter": 0.1}),
    Dose(0.2, annotator={"box_jitter": 0.2}),
)
"""A share is the standard deviation of the error; people err by 2 to 5 %."""
CLICKS = (Dose(5, annotator={"points_each": 5}), Dose(2, annotator={"points_each": 2}), Dose(1))
"""On objects alone; nobody clicks on the ground."""
SCENE_CLICKS = (
    Dose(20, annotator={"points_each": 20}, variant="scenes"),
    Dose(5, annotator={"points_each": 5}, variant="scenes"),
    Dose(2, annotator={"points_each": 2}, variant="scenes"),
    Dose(1, variant="scenes"),
)
"""Where kinds of ground are classes, they are clicked on as well."""
FULL = {"weights": {"snake": 0.0, "starfish": 0.0, "cat": 0.0}}
THIN = {"weights": {"bus": 0.0, "wreath": 0.0, "boat": 0.0}}


def _partial(controls: dict[str, str]) -> Family:
    """A family that completes maps of the most discriminative part."""
    return Family(
        "the map covers the part that gives a class away, and little else",
        "how often a body looks like its class", PARTIAL, 1, "body_recall", controls,
    )  # fmt: skip


FAMILIES: dict[str, Family] = {
    "cam": _partial({"lpcam": "cam"}),
    "ensemble": _partial(
        {
            "ficklenet": "undropped", "oaa": "cam_once", "oaa_plus": "oaa", "oaa_drop": "oaa",
            "mdc": "undilated",
        }
    ),
    "erasing": _partial(
        {
            "two_phase": "cam_600", "ae_psl": "cam_360", "seenet": "cam", "cse": "cam_600",
            "ecs_net": "cam_600", "acr": "cam_600",
        }
    ),
    "self_supervised": _partial(
        {
            "seam": "cam", "puzzle_cam": "cam", "cpn": "cam", "usage": "cam", "advcam": "cam",
            "c2am": "cam", "split_merge": "cam", "sipe": "cam", "subcat": "cam_600",
            "ppc": "seam", "l2g": "cam_saliency",
        }
    ),
    "cooccurrence": Family(
        "what always comes with a class is called by its name",
        "P(water given boat) in training", WATER, 2, "boat_iou",
        {"cda": "cam_600", "conta": "cam_600"},
    ),
    "organs": Family(
        "organs that always come together are called by each other's names",
        "overlap of the heights at which organs lie: 0 never meet, 1 always together",
        SLICES, 1, "miou", {"c_cam": "first_round"},
    ),
    "affinity": Family(
        "colour alone cannot carry the score across a body",
        "share of bodies that have two colours", TONES, 2, "body_recall",
        {"affinitynet": "pamr", "irnet": "pamr", "mctformer": "pamr_vit"},
    ),
    "low_level": Family(
        "class maps know no borders; colours do, unless an object has those of the ground",
        "share of bodies that have the colour of the ground", CAMOUFLAGE, 0, "boundary_iou",
        {"sec": "segmenter_pamr", "dsrg": "segmenter_pamr"},
    ),
    "across_images": Family(
        "few images show a class, and in each of them the classifier needs one part of it",
        "how often a boat is drawn for each object of another class", RARE, 2, "boat_iou",
        {"mcis": "cam_pairs_at_one_size", "edam": "cam_pairs", "gwsm": "cam_triples", "rca": "cam"},
    ),
    "boundary": Family(
        "edges inside an object are taken for its outline",
        "contrast of the surfaces", SURFACES, 1, "boundary_iou",
        {"benet": "pamr", "sance": "pamr", "beco": "two_segmenters"},
    ),
    "extra_supervision": Family(
        "class maps know no borders; a saliency map does, if it is good",
        "noise in the pictures that saliency is made from",
        (Dose(0.0), Dose(0.1, noise=0.1), Dose(0.2, noise=0.2)), 0, "miou",
        {
            "eps": "cam_saliency", "guided_labels": "cam_saliency", "ssnet": "cam_saliency",
            "i2crc": "cam_saliency",
        },
    ),
    "online": Family(
        "one network has to learn from labels that it is still making",
        "most pieces of clutter in a picture",
        (Dose(0, {"clutter": 0}), Dose(2), Dose(6, {"clutter": 6})), 1, "val_miou",
        {
            "onestage": "two_stages", "rrm": "two_stages", "aalr": "rrm",
            "afa": "two_stages_mit", "toco": "two_stages_vit", "mdba": "saliency_labels",
        },
    ),
    "box": Family(
        "an object does not fill its box",
        "share of its box that the median object fills",
        (Dose(0.6, FULL), Dose(0.5), Dose(0.4, THIN)), 1, "miou",
        {
            "grabcut": "bbox_rect", "bana": "bbox_rect", "extreme_clicking": "bbox_rect",
            "bbox_seg": "bbox_rect", "wssl_em": "segmenter_bbox_rect",
            "boxsup": "segmenter_bbox_rect", "sdi": "segmenter_grabcut",
            "box2seg": "segmenter_grabcut", "bcm": "segmenter_grabcut", "bbam": "bbox_rect",
            "dextr": "extreme_clicking",
        },
    ),
    "box_jitter": Family(
        "whoever drew the boxes was careless",
        "error of each side of a box, as a share of the side", CARELESS, 2, "miou",
        {"grabcut": "bbox_rect", "bana": "bbox_rect", "box2seg": "segmenter_grabcut"},
    ),
    "scribble": Family(
        "a stroke covers little of an object",
        "share of an object's longest path that its stroke covers",
        (
            Dose(0.9, annotator={"stroke_length": (0.85, 0.95)}),
            Dose(0.6),
            Dose(0.2, annotator={"stroke_length": (0.15, 0.25)}),
        ), 2, "val_miou",
        {
            "scribblesup": "pce", "ncut_loss": "pce", "rawks": "pce", "spml": "pce", "psi": "pce",
            "rloss": "pce", "dfr": "rloss", "bpg": "unguided",
        },
    ),
    "point": Family(
        "tags say what is there, not where",
        "clicks on each object",
        CLICKS, 2, "val_miou",
        {"whats_the_point": "tags_network"},
    ),
    "point_maps": Family(
        "a class map peaks where the class is told apart, which need not be on the object",
        "clicks on each object", CLICKS, 2, "miou", {"pcam": "cam"},
    ),
    "scene_points": Family(
        "a click says nothing of the other pixels of its region",
        "clicks on each thing and each region of stuff", SCENE_CLICKS[1:], 2, "val_miou",
        {"pdml": "point_pce"},
    ),
    "panoptic": Family(
        "a pixel that knows its class does not know its object",
        "clicks on each thing and each region of stuff", (*SCENE_CLICKS[:2], SCENE_CLICKS[3]), 0,
        "pq", {"panoptic_fcn_point": "connected_components"},
    ),
    "clip": Family(
        "background that resembles a class is called by its name",
        "share of the backgrounds that the list of sentences names",
        (Dose(0.17, rivals=1 / 6), Dose(0.5, rivals=0.5), Dose(1.0)), 2, "miou",
        {"clip_es": "clip_logits", "clims": "cam"},
    ),
    "text_tokens": _partial({"mmcst": "visual_tokens"}),
    "sam": Family(
        "scores know where an object is, not where it ends",
        "share of bodies that have two colours, which SAM may take for two parts", TONES, 0, "miou",
        {"sam_pseudo": "cam", "grounded_sam": "detected_boxes"},
    ),
}  # fmt: skip
"""By the name of its chapter. A system may stand in two families, with one control in both."""


FORMER: dict[str, dict[str, str]] = {
    "ensemble": {"ficklenet": "cam", "oaa": "cam"},
    "affinity": {"mctformer_refined": "pamr_vit"},
    "across_images": {"mcis_shared": "cam_pairs_at_one_size", "edam_mask": "cam_pairs"},
}
"""What was written down first, by family: controls and a read-out that were changed later.

CAM sees images mirrored and moved, and adds up two sizes, which OAA does not; FickleNet has a
convolution more than CAM: these controls lacked more than the idea. MCTformer's maps took a step
along the attention between patches; MCIS answered with what an image shares with its mirror image,
and EDAM with masks that fill the ground where no saliency map empties it. The curves are shown
beside those that replace them.
"""


def measured_in(id: str) -> list[tuple[str, str, str]]:
    """Where the curves of a system belong: the family, its control, the folder; none for others."""
    now = [(name, family.controls, name) for name, family in FAMILIES.items()]
    before = [(name, controls, f"{name}/former") for name, controls in FORMER.items()]
    return [
        (name, controls[id], folder) for name, controls, folder in now + before if id in controls
    ]
