"""Systems that choose among what a box can be filled with, and learn from that."""

from diagrams.description import (
    Diagram,
    answer,
    flow,
    given,
    learned,
    reply,
    step,
    stop,
    term,
)

BBOX_SEG = Diagram(
    "bbox_seg",
    "Bbox-Seg",
    (
        given("image", (0, 0)),
        given("boxes", (2, 0)),
        step("outside", "outside of all:\nbackground", (2, 1)),
        step("middle", "their middles:\nthe class", (1, 1), idea=True),
        step("crf", "dense CRF: near\nand alike", (0, 2), idea=True),
        answer("class against\nbackground", (1, 3)),
    ),
    (
        *flow("boxes", "outside", "crf", "answer"), *flow("boxes", "middle", "crf"),
        *flow("image", "crf"), *flow("boxes", "answer"),
    ),
)  # fmt: skip

WSSL_EM = Diagram(
    "wssl_em",
    "WSSL (EM)",
    (
        given("image", (0, 0)),
        given("boxes", (2, 0)),
        learned("net", "segmentation\nnetwork", (0, 1)),
        step("may", "what each pixel\nmay be", (2, 1)),
        step("guess", "the likeliest, once\nclasses are boosted", (1.5, 2), idea=True, wide=1.35),
        term("seg", "cross-entropy", (1, 3)),
        answer("class against\nbackground", (0, 4)),
    ),
    (
        *flow("image", "net", "seg"), *flow("boxes", "may", "guess", "seg"),
        *stop("net", "guess"), *reply("net", "answer"),
    ),
)  # fmt: skip

BOXSUP = Diagram(
    "boxsup",
    "BoxSup",
    (
        given("image", (0, 0)),
        given("boxes", (2, 0)),
        learned("net", "segmentation\nnetwork", (0, 1)),
        step("candidates", "candidates: merged\nsuperpixels", (1.15, 1), wide=1.2),
        step("choose", "one for each box:\nit fits, and the net\nagrees", (1.5, 2), True, 1.35),
        term("seg", "cross-entropy", (1, 3)),
        answer("class against\nbackground", (0, 4)),
    ),
    (
        *flow("image", "net", "seg"), *flow("image", "candidates", "choose", "seg"),
        *flow("boxes", "choose"), *stop("net", "choose"), *reply("net", "answer"),
    ),
)  # fmt: skip

SDI = Diagram(
    "sdi",
    "SDI",
    (
        given("image", (0, 0)),
        given("boxes", (1.03, 0)),
        given("scores", (2, 0), "of GrabCut"),
        learned("net", "segmentation\nnetwork", (0, 2)),
        step("proposal", "the proposal\nthat fits a box\nbest", (1, 1)),
        step("agreed", "both agree: a label;\nelse in the box: none", (1.5, 2), True, 1.5),
        term("seg", "cross-entropy", (1, 3)),
        answer("class against\nbackground", (0, 4)),
    ),
    (
        *flow("image", "net", "seg"), *flow("image", "proposal", "agreed", "seg"),
        *flow("boxes", "proposal"), *flow("boxes", "agreed"), *flow("scores", "agreed"),
        *reply("net", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (BBOX_SEG, WSSL_EM, BOXSUP, SDI)
