"""Systems that learn from points and scribbles."""

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

WHATS_THE_POINT = Diagram(
    "whats_the_point",
    "What's the Point",
    (
        given("points", (0, 0)),
        given("image", (1, 0)),
        learned("net", "segmentation\nnetwork", (1, 1)),
        step("prior", "objectness: parts\nthat stand out", (2, 1), idea=True, wide=1.05),
        term("image", "which classes\nare there", (0, 2), key="there"),
        term("point", "what was\nclicked", (1, 2)),
        term("object", "where there is\nanything", (2, 2), idea=True),
        answer("class against\nbackground", (1, 3)),
    ),
    (
        *flow("image", "net", "point"), *flow("net", "there"), *flow("net", "object"),
        *flow("points", "there"), *flow("points", "point"), *flow("image", "prior", "object"),
        *reply("net", "answer"),
    ),
)  # fmt: skip

EXTREME_CLICKING = Diagram(
    "extreme_clicking",
    "Extreme clicking",
    (
        given("image", (0, 0)),
        given("extremes", (1, 0)),
        given("boxes", (2, 0), "their classes"),
        step("edges", "edge map", (0, 1)),
        step("path", "paths of strong\nedges from click\nto click", (1, 2), idea=True),
        step("inside", "enclosed: likely;\nits middle: sure", (1, 3), idea=True),
        step("cut", "GrabCut, borders\ncheap on edges", (1, 4)),
        answer("the object,\nwith its class", (1, 5)),
    ),
    (
        *flow("image", "edges", "path", "inside", "cut", "answer"), *flow("extremes", "path"),
        *flow("edges", "cut"), *flow("image", "cut"), *flow("boxes", "answer"),
    ),
)  # fmt: skip

PCE = Diagram(
    "pce",
    "Partial cross-entropy",
    (
        given("image", (0.5, 0)),
        given("scribble", (1.5, 0)),
        learned("net", "segmentation\nnetwork", (0.5, 1)),
        term("seg", "cross-entropy of\nthe drawn pixels", (1.5, 2), idea=True),
        answer("class against\nbackground", (0.5, 3)),
    ),
    (*flow("image", "net", "seg"), *flow("scribble", "seg"), *reply("net", "answer")),
)  # fmt: skip

NCUT_LOSS = Diagram(
    "ncut_loss",
    "Normalised-cut loss",
    (
        given("image", (0, 0)),
        given("scribble", (2, 0)),
        learned("net", "segmentation\nnetwork", (1, 1)),
        step("kernel", "which pixels\nare near and\nalike", (0, 1)),
        term("cut", "normalised cut\nof all pixels", (0, 2), idea=True),
        term("seg", "cross-entropy of\nthe drawn ones", (2, 2)),
        answer("class against\nbackground", (1, 3)),
    ),
    (
        *flow("image", "net"), *flow("image", "kernel", "cut"), *flow("net", "cut"),
        *flow("net", "seg"), *flow("scribble", "seg"), *flow("scribble", "cut"),
        *reply("net", "answer"),
    ),
)  # fmt: skip

SCRIBBLESUP = Diagram(
    "scribblesup",
    "ScribbleSup",
    (
        given("image", (0, 0)),
        given("scribble", (2, 0)),
        learned("net", "segmentation\nnetwork", (0, 1)),
        step("parts", "superpixels and\ntheir likeness", (1, 1)),
        step("cut", "graph cut: the\nstrokes, spread", (2, 2), idea=True),
        term("seg", "cross-entropy", (1, 3)),
        answer("class against\nbackground", (0, 4)),
    ),
    (
        *flow("image", "net", "seg"), *flow("image", "parts", "cut"), *flow("scribble", "cut"),
        *stop("net", "cut"), *flow("cut", "seg"), *reply("net", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (WHATS_THE_POINT, EXTREME_CLICKING, PCE, NCUT_LOSS, SCRIBBLESUP)
