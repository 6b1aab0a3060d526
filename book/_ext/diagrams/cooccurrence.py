"""Systems that part what always comes together."""

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

CONTA = Diagram(
    "conta",
    "CONTA",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        learned("net", "segmentation\nnetwork", (2, 1)),
        learned("features", "backbone of\nthe classifier", (0, 1)),
        learned("context", "attention to the\nlast round's\nmean masks", (1, 2), idea=True),
        learned("classifier", "classifier on\nboth", (0, 3)),
        term("cls", "classification", (1, 4)),
        step("masks", "pseudo-masks,\nafter PAMR", (0, 5)),
        term("seg", "cross-entropy", (2, 5)),
        answer("rectified, over\nits maximum", (0, 6)),
    ),
    (
        *flow("image", "features", "classifier", "cls"), *flow("tags", "cls"),
        *flow("image", "net", "seg"), *stop("net", "context"), *flow("context", "classifier"),
        *stop("classifier", "masks"), *flow("masks", "seg"), *flow("image", "masks"),
        *flow("tags", "masks"),
        *reply("classifier", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

C_CAM = Diagram(
    "c_cam",
    "C-CAM",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("plain", "classifier\nwithout context", (1, 1), "classifier"),
        learned("context", "attention to the\nlast round's\nmean masks", (1, 2), idea=True),
        learned("classifier", "classifier on\nboth", (0, 3)),
        term("cls", "classification", (1, 4)),
        step("place", "times where the\norgan was found", (0, 5), idea=True),
        term("shape", "what lies\noutside of it", (2, 5), idea=True),
        answer("rectified, over\nits maximum", (0, 6)),
    ),
    (
        *flow("image", "backbone", "classifier", "cls"), *flow("tags", "cls"),
        *stop("backbone", "plain"), *stop("plain", "context"), *flow("context", "classifier"),
        *flow("classifier", "place", "shape"), *flow("tags", "shape"),
        *flow("tags", "place"),
        *reply("place", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (CONTA, C_CAM)
