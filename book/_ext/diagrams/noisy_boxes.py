"""Systems that ask how much of a box to believe."""

from diagrams.description import Diagram, answer, flow, given, learned, reply, step, stop, term

BOX2SEG = Diagram(
    "box2seg",
    "Box2Seg",
    (
        given("image", (0, 0)),
        given("scores", (1, 0), "of GrabCut"),
        given("boxes", (2, 0)),
        learned("net", "segmentation\nnetwork", (0, 1), "net.deeplab"),
        learned("embedding", "embeddings", (0, 2), "net.embedding"),
        learned("attention", "attention to\neach class", (1, 2), "net.attention", idea=True),
        term("affinity", "alike where\nanswers agree", (0, 3)),
        term("filling", "attention fills\nthe box as far\nas GrabCut", (1, 3), idea=True),
        term("foreground", "each box, as far\nas attention\nbelieves it", (2, 3), idea=True),
        term("grabcut", "cross-entropy\nwith GrabCut", (1, 4)),
        term("background", "outside of\nall boxes", (2, 4)),
        answer("class against\nbackground", (0, 5)),
    ),
    (
        *flow("image", "net", "attention", "filling"), *flow("net", "embedding", "affinity"),
        *flow("net", "affinity"), *flow("attention", "foreground"), *flow("net", "foreground"),
        *flow("boxes", "foreground"), *flow("boxes", "filling"), *flow("scores", "filling"),
        *flow("scores", "grabcut"), *flow("net", "grabcut"), *flow("net", "background"),
        *flow("boxes", "background"), *reply("net", "answer"),
    ),
)  # fmt: skip

BCM = Diagram(
    "bcm",
    "BCM",
    (
        given("image", (0, 0)),
        given("boxes", (1, 0)),
        given("scores", (2, 0), "of GrabCut"),
        learned("net", "segmentation\nnetwork", (0, 1), "net.deeplab"),
        step("rates", "how far boxes of\na class are filled", (2, 1), wide=1.1),
        learned("masking", "mask of each\nclass", (1, 2), "net.masking", idea=True),
        term("masks", "boxes,\nredrawn", (2, 3)),
        step("gated", "scores times\nmasks", (0, 3), idea=True),
        step("kept", "best pixels of\neach box keep\ntheir label", (1, 4), idea=True),
        term("seg", "cross-entropy,\nnot masked", (2, 5)),
        term("masked", "cross-entropy,\nmasked", (1, 5)),
        answer("class against\nbackground", (0, 6)),
    ),
    (
        *flow("image", "net", "masking", "masks"), *flow("boxes", "masks"), *flow("boxes", "rates"),
        *flow("scores", "rates", "kept"), *flow("scores", "kept"), *flow("boxes", "kept"),
        *flow("masking", "gated"), *flow("net", "gated"),
        *stop("gated", "kept"), *flow("kept", "seg"), *flow("kept", "masked"), *flow("net", "seg"),
        *flow("gated", "masked"), *reply("gated", "answer"),
    ),
)  # fmt: skip

BBAM = Diagram(
    "bbam",
    "BBAM",
    (
        given("image", (0, 0)),
        given("boxes", (2, 0)),
        step("regions", "regions near\nboxes, and\nanywhere", (2, 1)),
        step("seen", "a mask hides\nmore and more", (0, 1), idea=True),
        learned("detector", "detector of\nregions", (1, 2)),
        term("cls", "class of a\nregion", (0, 3)),
        term("box", "how a region\nmoves onto\nits box", (2, 3)),
        step("same", "same class and\nbox as before:\nhide more", (1, 4), idea=True),
        step("crf", "best part of the\nbox; dense CRF", (1, 5), wide=1.05),
        answer("object against\nits ground", (1, 6)),
    ),
    (
        *flow("image", "detector"), *flow("boxes", "regions", "detector", "cls"),
        *flow("detector", "box"), *flow("boxes", "box"), *flow("boxes", "cls"),
        *reply("image", "seen", "detector", "same", "crf", "answer"), *reply("image", "crf"),
        *reply("boxes", "same"), *reply("boxes", "crf"),
    ),
)  # fmt: skip

DIAGRAMS = (BOX2SEG, BCM, BBAM)
