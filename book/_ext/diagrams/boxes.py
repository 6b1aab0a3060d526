"""Systems that learn from boxes."""

from diagrams.description import (
    Diagram,
    answer,
    flow,
    given,
    learned,
    reply,
    step,
    term,
)

BBOX_RECT = Diagram(
    "bbox_rect",
    "Bbox-Rect",
    (
        given("boxes", (0.5, 0)),
        given("image", (1.5, 0), "its size alone"),
        step("filled", "each box filled,\nthe smallest\nin front", (0.5, 1), idea=True),
        answer("its class", (0.5, 2)),
    ),
    (*flow("boxes", "filled", "answer"), *flow("image", "filled")),
)  # fmt: skip

GRABCUT = Diagram(
    "grabcut",
    "GrabCut",
    (
        given("image", (0, 0)),
        given("boxes", (2, 0)),
        step("contrast", "borders are cheap\nwhere colours\nchange", (0, 1), wide=1.15),
        step("outside", "outside the box:\nbackground", (2, 1)),
        step("models", "two colour models:\nobject, background", (1, 2), idea=True, wide=1.4),
        step("cut", "graph cut, which\nmends the models,\nfive times", (1, 3), idea=True, wide=1.3),
        answer("what is inside,\nwith its class", (1, 4)),
    ),
    (
        *flow("image", "contrast", "cut"), *flow("image", "models"),
        *flow("boxes", "outside", "models"), *flow("models", "cut", "answer"),
        *flow("boxes", "answer"),
    ),
)  # fmt: skip

BANA = Diagram(
    "bana",
    "BANA",
    (
        given("image", (0, 0)),
        given("boxes", (2, 0)),
        learned("backbone", "backbone:\nfeatures", (0, 1)),
        step("outside", "outside of\nall boxes", (2, 1)),
        step("prototypes", "background\nprototypes", (1, 2)),
        step("attention", "what is like\nthem", (1, 3), idea=True),
        step("pooled", "pooled without\nits background", (0, 4), idea=True),
        learned("classifier", "classifier", (1, 5)),
        term("cls", "box or ground?", (2, 5)),
        step("crf", "compete in each\nbox; dense CRF", (1, 6)),
        answer("class against\nbackground", (1, 7)),
    ),
    (
        *flow("image", "backbone", "prototypes", "attention", "pooled"),
        *flow("backbone", "pooled"), *flow("boxes", "outside", "prototypes"),
        *flow("pooled", "classifier", "cls"),
        *flow("boxes", "cls"), *reply("classifier", "crf"), *reply("attention", "crf"),
        *reply("image", "crf"), *reply("crf", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (BBOX_RECT, GRABCUT, BANA)
