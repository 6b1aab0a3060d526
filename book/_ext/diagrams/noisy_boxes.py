"""Systems that ask how much of a box to believe."""

from diagrams.description import Diagram, answer, flow, given, learned, reply, term

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

DIAGRAMS = (BOX2SEG,)
