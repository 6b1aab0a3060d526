"""Systems that learn from boxes, points and scribbles."""

from diagrams.description import (
    Diagram,
    answer,
    flow,
    frozen,
    given,
    learned,
    reply,
    step,
    stop,
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
    "BANA (BAP)",
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

DEXTR = Diagram(
    "dextr",
    "DEXTR",
    (
        given("image", (0, 0)),
        given("extremes", (1, 0)),
        given("boxes", (2, 0), "their classes"),
        step("window", "window around\nthe clicks", (0, 1)),
        step("heat", "where it was\nclicked, as a\nfourth channel", (1, 1), idea=True),
        frozen("cutter", "network that has\nlearned from masks\nof other objects", (0.5, 2),
               idea=True, wide=1.3),
        step("certain", "what is certain,\nwithin the box", (0.5, 3), wide=1.1),
        answer("the object,\nwith its class", (1, 4)),
    ),
    (
        *flow("image", "window", "cutter", "certain", "answer"),
        *flow("extremes", "heat", "cutter"), *flow("extremes", "window"),
        *flow("boxes", "answer"),
    ),
)  # fmt: skip

PANOPTIC_FCN_POINT = Diagram(
    "panoptic_fcn_point",
    "Panoptic FCN with points",
    (
        given("points", (0, 0)),
        given("objects", (1, 0), "which clicks are\nof one thing"),
        given("image", (2, 0)),
        step("targets", "each thing, each\nkind of stuff", (0, 1), wide=1.1),
        learned("decoder", "backbone and\ndecoder", (2, 1), "net.decoder"),
        learned("position", "position head", (1, 2), "net.position"),
        learned("kernel", "a kernel in\neach cell", (2, 2), "net.kernel", idea=True),
        learned("encoder", "encoded image", (2, 3), "net.encoder"),
        term("position", "middles of things,\nregions of stuff", (0, 3), wide=1.1, key="where"),
        step("made", "kernel times\nimage: a mask for\neach thing", (1, 4), idea=True, wide=1.1),
        term("masks", "masks, at the\nclicks alone", (0, 5), idea=True),
        answer("surest things,\nthen stuff", (1, 6)),
    ),
    (
        *flow("points", "targets", "where"), *flow("objects", "targets"),
        *flow("image", "decoder", "kernel", "made", "masks"), *flow("decoder", "position", "where"),
        *flow("decoder", "encoder", "made"), *flow("position", "masks"),
        *flow("targets", "masks"), *reply("made", "answer"), *reply("position", "answer"),
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

DIAGRAMS = (
    BBOX_RECT,
    GRABCUT,
    BANA,
    WHATS_THE_POINT,
    EXTREME_CLICKING,
    DEXTR,
    PANOPTIC_FCN_POINT,
    PCE,
    NCUT_LOSS,
    SCRIBBLESUP,
)
