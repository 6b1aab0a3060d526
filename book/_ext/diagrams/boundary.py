"""Systems that learn from tags where boundaries are."""

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

BENET = Diagram(
    "benet",
    "BENet",
    (
        given("image", (0, 0)),
        given("scores", (1, 0), "of CAM"),
        given("tags", (2, 0)),
        frozen("backbone", "backbone", (0, 1), "boundaries.backbone"),
        step("sharp", "sharpened by\nPAMR; what is\nsure of them", (1, 1)),
        learned("edge", "boundaries", (0, 2), "boundaries.edge"),
        step("shares", "shares of each\nlabel, window\nby window", (1, 2), idea=True),
        term("ground, object", "one label:\nno boundary", (1, 3)),
        term("boundary", "two, evenly:\na boundary,\nif it looks so", (2, 3), idea=True),
        step("walk", "random walk,\nto boundaries;\nPAMR", (0, 4)),
        answer("scores after\nboth", (0, 5)),
    ),
    (
        *flow("image", "backbone", "edge"), *flow("image", "sharp"),
        *flow("scores", "sharp", "shares"),
        *flow("edge", "ground, object"), *flow("edge", "boundary"),
        *flow("shares", "ground, object"), *flow("shares", "boundary"),
        *reply("edge", "walk"), *reply("scores", "walk"), *reply("walk", "answer"),
        *reply("image", "walk"), *reply("tags", "answer"),
    ),
)  # fmt: skip

SANCE = Diagram(
    "sance",
    "SANCE",
    (
        given("image", (0, 0)),
        given("scores", (1, 0), "of CAM"),
        given("tags", (2, 0)),
        learned("trunk", "trunk of both\nbranches", (0, 1), "net.segmenter.backbone"),
        step("seeds", "sharpened by\nPAMR; what is\nsure of them", (1, 1)),
        learned("edge", "contour branch", (0, 2), "net.edge"),
        learned(
            "seg", "segmentation\nbranch", (2, 2), "net.segmenter.pyramid",
            "net.segmenter.decoder", "net.segmenter.detail", "net.segmenter.classifier",
        ),
        step("own", "its own labels,\nof present\nclasses alone", (1, 3), idea=True),
        term("contour, online_contour", "one label: none\nbetween; two:\none somewhere", (0, 4)),
        term("seg, online_seg", "cross-entropy", (2, 4), key="classes"),
        step("walk", "its map walks,\nto contours;\nPAMR", (1, 5), idea=True),
        answer("class against\nbackground", (1, 6)),
    ),
    (
        *flow("image", "trunk", "edge", "contour, online_contour"), *flow("trunk", "seg"),
        *flow("image", "seeds"), *flow("scores", "seeds"),
        *flow("seeds", "contour, online_contour"), *flow("seeds", "classes"),
        *flow("seg", "classes"), *stop("seg", "own"), *flow("image", "own"), *flow("tags", "own"),
        *flow("own", "contour, online_contour"), *flow("own", "classes"),
        *reply("edge", "walk"), *reply("seg", "walk"), *reply("walk", "answer"),
        *reply("tags", "answer"),
    ),
)  # fmt: skip

BECO = Diagram(
    "beco",
    "BECO",
    (
        given("image", (0, 0)),
        given("scores", (2, 0), "after PAMR"),
        learned("one", "network one", (0, 1), "pair.nets.0"),
        learned("other", "network two", (1, 1), "pair.nets.1"),
        step("sure", "labels, and the\nsurest half\nof each", (2, 1)),
        step("mixed", "what both are\nsure of, pasted\nelsewhere", (2, 2), idea=True),
        term("one", "sure labels;\nnew borders\ncount more", (0, 3), key="one taught"),
        term("other", "sure labels;\nnew borders\ncount more", (1, 3), key="other taught"),
        term("one_asks", "elsewhere:\nwhat the other\none says", (0, 4), idea=True),
        term("other_asks", "elsewhere:\nwhat the other\none says", (1, 4), idea=True),
        answer("mean of both,\nclass against\nbackground", (1, 5)),
    ),
    (
        *flow("image", "one", "one taught"), *flow("image", "other", "other taught"),
        *flow("scores", "sure", "mixed", "one taught"), *flow("mixed", "other taught"),
        *stop("one", "mixed"), *stop("other", "mixed"),
        *flow("mixed", "one_asks"), *flow("mixed", "other_asks"),
        *flow("one", "one_asks"), *stop("other", "one_asks"),
        *flow("other", "other_asks"), *stop("one", "other_asks"),
        *reply("one", "answer"), *reply("other", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (BENET, SANCE, BECO)
