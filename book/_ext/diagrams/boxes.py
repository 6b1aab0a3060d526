"""Systems that choose among what a box can be filled with, and learn from that."""

from diagrams.description import Diagram, answer, flow, given, step

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

DIAGRAMS = (BBOX_SEG,)
