"""Systems that spread maps along affinities."""

from diagrams.description import (
    Diagram,
    answer,
    flow,
    frozen,
    given,
    learned,
    reply,
    step,
    term,
)

AFFINITYNET = Diagram(
    "affinitynet",
    "AffinityNet",
    (
        given("image", (0, 0)),
        given("scores", (1, 0), "of CAM"),
        given("tags", (2, 0)),
        step("sharp", "sharpened by\nPAMR", (1, 1)),
        learned("features", "features g", (0, 1)),
        step("affinity", "affinity W of\nnear pairs", (0, 2)),
        step("pairs", "pairs of sure\npixels", (1, 2), idea=True),
        term("fg, bg", "one class:\ntogether", (0, 3)),
        term("neg", "two classes:\napart", (1, 3), idea=True),
        step("walk", "random walk\nalong W", (0, 4)),
        answer("class against\nbackground", (0, 5)),
    ),
    (
        *flow("image", "features", "affinity"), *flow("image", "sharp"), *flow("scores", "sharp"),
        *flow("sharp", "pairs"),
        *flow("affinity", "fg, bg"), *flow("affinity", "neg"),
        *flow("pairs", "fg, bg"), *flow("pairs", "neg"),
        *reply("affinity", "walk"), *reply("scores", "walk"), *reply("walk", "answer"),
        *reply("tags", "answer"),
    ),
)  # fmt: skip

IRNET = Diagram(
    "irnet",
    "IRNet",
    (
        given("image", (0, 0)),
        given("scores", (1, 0), "of CAM"),
        given("tags", (2, 0)),
        frozen("backbone", "backbone", (0, 1), "relations.backbone"),
        step("sharp", "sharpened by\nPAMR", (1, 1)),
        learned("edge", "boundaries", (0, 2), "relations.edge"),
        step("pairs", "pairs of sure\npixels", (1, 2)),
        learned("centre", "way to the\ncentre", (2, 2), "relations.centre"),
        step("path", "affinity: none\non the way?", (0, 3), idea=True),
        term("fg, bg", "one class:\nno boundary", (0, 4)),
        term("neg", "two classes:\none between", (1, 4)),
        term("centre_fg, centre_bg", "same centre,\nor none", (2, 4)),
        step("walk", "random walk,\nto boundaries", (0, 5)),
        answer("scores after\nthe walk", (0, 6)),
    ),
    (
        *flow("image", "backbone", "edge", "path"), *flow("backbone", "centre"),
        *flow("image", "sharp"), *flow("scores", "sharp", "pairs"),
        *flow("path", "fg, bg"), *flow("path", "neg"),
        *flow("pairs", "fg, bg"), *flow("pairs", "neg"), *flow("pairs", "centre_fg, centre_bg"),
        *flow("centre", "centre_fg, centre_bg"),
        *reply("path", "walk"), *reply("scores", "walk"), *reply("walk", "answer"),
        *reply("tags", "answer"),
    ),
)  # fmt: skip

MCTFORMER = Diagram(
    "mctformer",
    "MCTformer",
    (
        given("image", (0.5, 0)),
        given("tags", (2, 0)),
        learned(
            "transformer", "transformer: patches, and\none token for each class", (0.5, 1),
            "backbone", "transformer", idea=True, wide=2,
        ),
        step("mean", "mean of each\nclass token", (0, 2)),
        learned("head", "class maps of\nthe patches", (1, 2)),
        step("attention", "attention", (2, 2)),
        term("tokens", "classification", (0, 3)),
        term("patches", "classification", (1, 3)),
        step("fused", "class attention,\ntimes the maps", (1, 4), idea=True),
        step("spread", "one step along\npatch attention", (2, 5)),
        answer("stretched to\n0 … 1", (2, 6)),
    ),
    (
        *flow("image", "transformer", "mean", "tokens"), *flow("transformer", "head", "patches"),
        *flow("tags", "tokens"), *flow("tags", "patches"), *reply("transformer", "attention"),
        *reply("attention", "fused"), *reply("head", "fused"), *reply("fused", "spread"),
        *reply("attention", "spread"), *reply("spread", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (AFFINITYNET, IRNET, MCTFORMER)
