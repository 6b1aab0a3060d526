"""Systems that learn from tags by joining maps, by pasting, or with saliency."""

from diagrams.description import (
    Diagram,
    answer,
    flow,
    given,
    learned,
    reply,
    same,
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

CDA = Diagram(
    "cda",
    "CDA",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        given("scores", (2, 0), "of CAM"),
        step("objects", "objects, cut out\nby the scores", (2, 1)),
        step("paste", "pasted where\nits class is not", (2, 2), idea=True),
        learned("net", "backbone and\nclassifier", (0, 3), "backbone", "classifier"),
        learned("twin", "backbone and\nclassifier", (2, 3), "backbone", "classifier"),
        step("maps", "class maps", (0, 4)),
        term("cls", "classification", (1, 4)),
        term("pasted", "classification,\nwith the new tag", (2, 5)),
        answer("rectified, over\nits maximum", (0, 6)),
    ),
    (
        *flow("image", "net", "maps", "cls"), *flow("tags", "cls"), *flow("scores", "objects"),
        *flow("image", "objects"), *flow("tags", "paste"), *flow("objects", "paste", "twin"),
        *flow("twin", "pasted"), *same("net", "twin"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

EPS = Diagram(
    "eps",
    "EPS",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        given("saliency", (2, 0)),
        learned("net", "backbone and\nclassifier", (0, 1), "backbone", "classifier"),
        step("maps", "maps, one for\nthe background", (0, 2)),
        term("cls", "classification", (1, 2)),
        step("drawn", "object maps,\nadded up", (1, 3), idea=True),
        term("sal", "equal to the\nsaliency map", (2, 4), idea=True),
        answer("divided by\nits maximum", (0, 5)),
    ),
    (
        *flow("image", "net", "maps", "cls"), *flow("tags", "cls"), *flow("maps", "drawn", "sal"),
        *flow("tags", "drawn"), *flow("saliency", "drawn"), *flow("saliency", "sal"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (OAA, FICKLENET, CDA, EPS)
