"""Systems that look at more than one image of a class."""

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

RCA = Diagram(
    "rca",
    "RCA",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("coarse", "classifier", (2, 1), "heads.coarse"),
        term("coarse", "classification", (2, 2), key="coarse term"),
        step("places", "where a class is\nabove its mean", (1, 2)),
        learned("embed", "embedding", (0, 3), "heads.embed"),
        step("memory", "memory: means\nof sure regions,\nand centres", (1, 3), idea=True),
        step("regions", "mean of each\nregion, mixed\nwith another", (0, 4)),
        term("contrast", "own class near,\nothers far", (0, 5), idea=True),
        learned("aggregate", "centres join\nthe features", (1, 5), "heads.aggregate", idea=True),
        learned("refined", "classifier", (1, 6), "heads.refined"),
        term("refined", "classification", (2, 7), key="refined term"),
        answer("rectified, over\nits maximum", (1, 8)),
    ),
    (
        *flow("image", "backbone", "coarse", "coarse term"), *flow("tags", "coarse term"),
        *stop("coarse", "places"), *flow("backbone", "embed", "regions", "contrast"),
        *flow("places", "regions"), *stop("backbone", "memory"), *flow("places", "memory"),
        *stop("memory", "contrast"), *flow("tags", "contrast"), *flow("tags", "memory"),
        *flow("backbone", "aggregate", "refined", "refined term"), *flow("tags", "refined term"),
        *stop("memory", "aggregate"), *reply("refined", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

EDAM = Diagram(
    "edam",
    "EDAM",
    (
        given("image", (0, 0), "a group"),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("da", "layer of masks", (0, 2), "da"),
        step("masks", "of each class,\nsquares sum to 1", (0, 3), idea=True),
        learned("reduce", "fewer channels", (1, 3), "cma.reduce"),
        step("cut", "what each mask\nlets through", (1, 4), idea=True),
        learned(
            "together", "attention over\nthe group, class\nby class", (1, 5),
            "cma.blocks", "cma.member", idea=True,
        ),
        learned("read", "mean of each\nimage, read", (1, 6), "cma.read"),
        term("cls", "classification", (2, 7)),
        answer("over their\nmaximum,\nimage by image", (0, 8)),
    ),
    (
        *flow("image", "backbone", "da", "masks", "cut", "together", "read", "cls"),
        *flow("backbone", "reduce", "cut"), *flow("tags", "cls"),
        *reply("masks", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (RCA, EDAM)
