"""Systems that look at several images of one class at once."""

from diagrams.description import (
    Diagram,
    answer,
    flow,
    given,
    learned,
    reply,
    same,
    step,
    term,
)

MCIS = Diagram(
    "mcis",
    "MCIS",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("attention", "look for itself\nin the partner", (0, 2), "pairs.attention",
                idea=True),
        learned("gate", "gate: is\nit shared?", (1, 3), "pairs.gate"),
        learned("classifier", "classifier of\nsingle images", (2, 2), "pairs.classifier"),
        term("cls", "all classes", (2, 3)),
        learned("shared", "classifier of\nwhat is shared", (0, 5), "pairs.shared"),
        step("left", "what is left\nof the image", (1, 4), idea=True),
        learned("again", "classifier of\nwhat is shared", (1, 5), "pairs.shared"),
        term("co", "classes that\nboth show", (0, 6), idea=True),
        term("contrast", "classes that it\nalone shows", (1, 6), idea=True),
        answer("mean over its\ncopies, stretched", (0, 7)),
    ),
    (
        *flow("image", "backbone", "attention", "shared", "co"), *flow("backbone", "classifier"),
        *flow("classifier", "cls"), *flow("attention", "gate", "left", "again", "contrast"),
        *flow("backbone", "left"), *flow("tags", "cls"), *flow("tags", "co"),
        *flow("tags", "contrast"), *same("shared", "again"), *reply("shared", "answer"),
        *reply("tags", "answer"),
    ),
)  # fmt: skip

GWSM = Diagram(
    "gwsm",
    "GWSM",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("head", "class maps of\neach image", (0, 2)),
        term("cls", "classification", (2, 3)),
        learned(
            "ask", "ask every other\nimage, join", (0, 3),
            "graph.asking", "graph.asked", "graph.gate", "graph.join", idea=True,
        ),
        learned("cell", "ConvGRU takes\nthem up", (0, 4), "graph.cell", idea=True),
        step("hide", "hide the strong-\nest, at times", (1, 5), idea=True),
        term("group", "classification", (1, 6)),
        answer("first and last\nmaps, over their\nmaximum", (0, 7)),
    ),
    (
        *flow("image", "backbone", "head", "ask", "cell", "hide", "group"), *flow("head", "cell"),
        *flow("head", "cls"), *flow("tags", "cls"), *flow("tags", "group"),
        *reply("head", "answer"), *reply("cell", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (MCIS, GWSM)
"""All diagrams by name."""
