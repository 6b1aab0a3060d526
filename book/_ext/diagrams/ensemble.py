"""Systems that join many maps of one image."""

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

OAA = Diagram(
    "oaa",
    "OAA",
    (
        given("image", (0, 0)),
        given("ids", (1, 0)),
        given("tags", (2, 0)),
        learned("net", "backbone and\nclassifier", (0, 1), "backbone", "head"),
        step("maps", "class maps, now", (0, 2)),
        step("memory", "memory: each\nimage's largest\nso far", (1, 3), idea=True),
        term("cls", "classification", (2, 3)),
        answer("memory, or the\nmap of now", (0, 4)),
    ),
    (
        *flow("image", "net", "maps", "cls"), *flow("tags", "cls"), *stop("maps", "memory"),
        *flow("ids", "memory"), *flow("tags", "memory"),
        *reply("memory", "answer"), *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

FICKLENET = Diagram(
    "ficklenet",
    "FickleNet",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("fickle", "convolution that\ndrops at random", (0, 2), "fickle", idea=True),
        learned("classifier", "classifier,\nat each pixel", (0, 3)),
        step("maps", "class maps of\none draw", (0, 4)),
        step("pool", "mean over\nall pixels", (1, 4)),
        term("cls", "classification", (2, 4)),
        step("union", "largest of\nmany draws", (0, 5), idea=True),
        answer("divided by\nits maximum", (0, 6)),
    ),
    (
        *flow("image", "backbone", "fickle", "classifier", "maps", "pool", "cls"),
        *flow("tags", "cls"), *reply("maps", "union", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (OAA, FICKLENET)
