"""Systems that stand on the memory of OAA: one learns from it, one makes more enter it."""

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

OAA_PLUS = Diagram(
    "oaa_plus",
    "OAA+",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        given("scores", (2, 0), "memory of OAA"),
        learned("net", "backbone and\nclassifier", (0, 1), "backbone", "head"),
        step("target", "shrunk to the\nclass maps", (2, 1)),
        step("maps", "class maps,\neach a logit", (0, 2)),
        term("hybrid", "found: yes, as\nsurely as it was;\nnever found: no", (2, 3), idea=True),
        answer("rectified, over\nits maximum", (0, 4)),
    ),
    (
        *flow("image", "net", "maps", "hybrid"), *flow("scores", "target", "hybrid"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

OAA_DROP = Diagram(
    "oaa_drop",
    "OAA with attention drop",
    (
        given("image", (0, 0)),
        given("ids", (1, 0)),
        given("tags", (2, 0)),
        step("last", "last trusted map\nof the image", (1, 1)),
        step("hidden", "its hot pixels\npainted over, at\nhalf of the visits", (0, 2), idea=True),
        learned("net", "backbone and\nclassifier", (0, 3), "backbone", "head"),
        step("maps", "class maps, now", (0, 4)),
        step("memory", "memory: each\nimage's largest\nso far", (1, 5)),
        term("cls", "classification", (2, 5)),
        answer("memory, or the\nmap of now", (0, 6)),
    ),
    (
        *flow("ids", "last", "hidden"), *flow("image", "hidden", "net", "maps", "cls"),
        *flow("tags", "cls"), *stop("maps", "memory"), *flow("ids", "memory"),
        *flow("tags", "memory"), *reply("memory", "answer"), *reply("maps", "answer"),
        *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (OAA_PLUS, OAA_DROP)
