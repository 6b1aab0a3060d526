"""Systems whose segmentation network follows the colours while it learns from seeds."""

from diagrams.description import Diagram, answer, flow, given, learned, reply, step, stop, term

SEC = Diagram(
    "sec",
    "SEC",
    (
        given("image", (0, 0)),
        given("scores", (1, 0), "of CAM"),
        given("tags", (2, 0)),
        learned("net", "segmentation\nnetwork", (0, 1)),
        step("seeds", "sure pixels", (1, 1)),
        term("seed", "cross-entropy\non seeds", (1, 2)),
        step("pooled", "each class,\npooled by rank", (2, 3), idea=True),
        term("expand", "present or\nabsent", (2, 4)),
        step("refined", "its answer,\nrefined by the\ncolours", (0, 4), idea=True),
        term("constrain", "divergence from\nthe refined", (1, 5), idea=True),
        answer("class against\nbackground", (0, 6)),
    ),
    (
        *flow("image", "net", "seed"), *flow("scores", "seeds", "seed"),
        *flow("net", "pooled", "expand"), *flow("tags", "expand"), *flow("image", "refined"),
        *flow("net", "refined"), *stop("refined", "constrain"), *flow("net", "constrain"),
        *reply("net", "answer"),
    ),
)  # fmt: skip

DSRG = Diagram(
    "dsrg",
    "DSRG",
    (
        given("image", (0, 0)),
        given("scores", (1, 0), "of CAM"),
        given("tags", (2, 0)),
        learned("net", "segmentation\nnetwork", (0, 1)),
        step("seeds", "sure pixels", (1, 1)),
        step("refined", "its answer,\nrefined by the\ncolours", (0, 2)),
        step("grown", "seeds, grown to\nconnected pixels\nthat are sure", (1, 3), idea=True),
        term("seed", "cross-entropy,\neach side apart", (1, 4), idea=True),
        term("boundary", "divergence from\nthe refined", (0, 4)),
        answer("class against\nbackground", (0, 5)),
    ),
    (
        *flow("image", "net"), *flow("image", "refined"), *flow("net", "refined"),
        *stop("refined", "boundary"), *flow("net", "boundary"), *flow("tags", "grown"),
        *flow("scores", "seeds", "grown", "seed"), *stop("refined", "grown"), *flow("net", "seed"),
        *reply("net", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (SEC, DSRG)
