"""The pipeline, CAM, the refiners and the network of the second stage."""

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

PIPELINE = Diagram(
    "pipeline",
    "The two-stage pipeline",
    (
        given("image", (0, 0)),
        given("tags", (2, 0), "by a person"),
        learned("classifier", "classifier", (0, 1)),
        term("cls", "names the\nclasses", (2, 1)),
        step("maps", "class maps", (0, 2)),
        step("refined", "refined by\nthe image", (1, 2)),
        step("labels", "pseudo-labels", (2, 2), idea=True),
        learned("network", "segmentation\nnetwork", (0, 3)),
        term("seg", "agrees with\nthe labels", (2, 3)),
        answer("masks of\nnew images", (0, 4)),
    ),
    (
        *flow("image", "classifier", "cls"), *flow("tags", "cls"), *flow("classifier", "maps"),
        *stop("maps", "refined"), *flow("refined", "labels", "seg"),
        *flow("image", "network", "seg"), *reply("network", "answer"),
    ),
)  # fmt: skip

SWAP = Diagram(
    "cam_swap",
    "Two orders of pooling and classifying",
    (
        given("image", (1, 0)),
        learned("features", "backbone:\nfeatures f", (1, 1)),
        step("pooled", "mean over\nall pixels", (0, 2)),
        learned("once", "classifier W,\nonce", (0, 3), "W"),
        learned("everywhere", "classifier W,\nat each pixel", (2, 2), "W"),
        step("maps", "class maps A", (2, 3), idea=True),
        step("mean", "mean over\nall pixels", (2, 4)),
        answer("the same\nlogits p", (1, 5)),
    ),
    (
        *flow("image", "features", "pooled", "once", "answer"),
        *flow("features", "everywhere", "maps", "mean", "answer"),
    ),
)  # fmt: skip

CAM = Diagram(
    "cam",
    "CAM",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("classifier", "classifier,\nat each pixel", (0, 2), idea=True),
        step("maps", "class maps", (0, 3)),
        step("pool", "mean over\nall pixels", (1, 3)),
        term("cls", "classification", (2, 3)),
        answer("rectified, over\nits maximum", (0, 4)),
    ),
    (
        *flow("image", "backbone", "classifier", "maps", "pool", "cls"), *flow("tags", "cls"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

PAMR = Diagram(
    "pamr",
    "PAMR",
    (
        given("image", (0.5, 0)),
        given("scores", (1.5, 0), "of any system"),
        step("like", "likeness of\nneighbours", (0.5, 1), idea=True),
        step("mean", "average with\nneighbours,\nagain and again", (1.5, 2)),
        answer("refined\nscores", (1.5, 3)),
    ),
    (*flow("image", "like", "mean", "answer"), *flow("scores", "mean")),
)  # fmt: skip

DENSECRF = Diagram(
    "densecrf",
    "Dense CRF",
    (
        given("image", (0.5, 0)),
        given("scores", (1.5, 0), "of any system"),
        step("pairs", "all pairs: near,\nof like colour", (0.5, 1), idea=True),
        step("start", "with the\nbackground", (1.5, 1)),
        step("field", "mean field:\neach asks all,\nten times", (1.5, 2)),
        answer("class against\nbackground", (1.5, 3)),
    ),
    (*flow("image", "pairs", "field", "answer"), *flow("scores", "start", "field")),
)  # fmt: skip

SEGMENTER = Diagram(
    "segmenter",
    "DeepLab segmenter",
    (
        given("image", (0.5, 0)),
        given("scores", (1.5, 0), "of stage one"),
        learned("net", "segmentation\nnetwork", (0.5, 1)),
        step("labels", "labels, cut at\na threshold", (1.5, 1)),
        term("seg", "cross-entropy", (1.5, 2), idea=True),
        answer("class against\nbackground", (0.5, 3)),
    ),
    (
        *flow("image", "net", "seg"), *flow("scores", "labels", "seg"), *reply("net", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (PIPELINE, SWAP, CAM, PAMR, DENSECRF, SEGMENTER)
