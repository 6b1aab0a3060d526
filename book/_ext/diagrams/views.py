"""Systems that teach themselves by views of an image: tiles, pairs, windows, thinned networks."""

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

PUZZLE_CAM = Diagram(
    "puzzle_cam",
    "Puzzle-CAM",
    (
        given("image", (0, 0)),
        step("tiles", "the image,\nin tiles", (2, 0), idea=True),
        learned("net", "backbone and\nclassifier", (0, 1), "backbone", "classifier"),
        learned("twin", "backbone and\nclassifier", (2, 1), "backbone", "classifier"),
        step("maps", "class maps", (0, 2)),
        step("parts", "maps of tiles,\nmerged", (2, 2), idea=True),
        given("tags", (1, 2)),
        term("cls", "classification", (0, 3)),
        term("cls_tiles", "classification", (2, 3)),
        term("agree", "maps of present\nclasses agree", (1, 4), idea=True),
        answer("maps, over\ntheir maximum", (0, 5)),
    ),
    (
        *flow("image", "tiles", "twin", "parts"), *flow("image", "net", "maps"),
        *same("net", "twin"),
        *flow("maps", "cls"), *flow("tags", "cls"), *flow("parts", "cls_tiles"),
        *flow("tags", "cls_tiles"),
        *flow("maps", "agree"), *flow("parts", "agree"), *flow("tags", "agree"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

CPN = Diagram(
    "cpn",
    "CPN",
    (
        given("image", (0, 0)),
        step("copies", "two copies: each\nshows what the\nother hides", (2, 0), idea=True),
        learned("net", "backbone and\nclassifier", (0, 1), "backbone", "classifier"),
        learned("twin", "backbone and\nclassifier", (2, 1), "backbone", "classifier"),
        step("seen", "colours and\nfeatures", (0, 2)),
        step("seen2", "colours and\nfeatures", (2, 2)),
        step("maps", "class maps", (0, 3)),
        step("maps2", "class maps\nof both", (2, 3)),
        given("tags", (1, 3)),
        term("cls", "classification", (1, 4)),
        term("pair", "the image has\nthe pair's sum", (1, 5), idea=True, key="pair_term"),
        learned("module", "pixels and\nregions ask\npixels", (0, 6), "correlation"),
        learned("module2", "pixels and\nregions ask\npixels", (2, 6), "correlation"),
        term(
            "pair_refined, cross", "refined: same\nsum; a copy has\nwhat the other\nlacks", (1, 7),
            idea=True, key="cross",
        ),
        term("quiet", "faintest quarter\nof the places:\nto 0", (1, 8)),
        answer("refined maps", (0, 9)),
    ),
    (
        *flow("image", "copies", "twin", "maps2"), *flow("image", "net", "maps"),
        *same("net", "twin"), *flow("image", "seen", "module"),
        *flow("copies", "seen2", "module2"), *stop("net", "seen"), *stop("twin", "seen2"),
        *flow("maps", "cls"), *flow("maps2", "cls"), *flow("tags", "cls"),
        *flow("maps", "pair_term"), *stop("maps2", "pair_term"), *flow("tags", "pair_term"),
        *stop("maps", "module"), *stop("maps2", "module2"), *same("module", "module2"),
        *flow("module", "cross"), *flow("module2", "cross"),
        *stop("maps", "cross"), *stop("maps2", "cross"),
        *flow("module", "quiet"), *flow("module2", "quiet"),
        *reply("module", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

L2G = Diagram(
    "l2g",
    "L2G",
    (
        given("image", (0, 0)),
        given("saliency", (1, 0)),
        given("tags", (2, 0)),
        step("windows", "windows of\nthe image", (2, 1), idea=True),
        learned("whole", "global network", (0, 2)),
        learned("local", "local network", (2, 2)),
        step("maps", "maps, one for\nthe background", (0, 3)),
        step("seen", "class maps of\neach window", (2, 3)),
        step("cut", "the same\nwindows of them", (0, 4), idea=True),
        step("target", "strongest class,\nin the shape of\nthe saliency", (1, 4), idea=True),
        term("cls", "classification\nof each window", (2, 4)),
        term("knowledge", "object maps:\nthe target's", (0, 5), idea=True),
        term("shape", "background:\nwhat is not\nsalient", (1, 5), idea=True),
        answer("object maps of\nthe global network", (0, 6), wide=1.1),
    ),
    (
        *flow("image", "whole", "maps", "cut", "knowledge"), *flow("cut", "shape"),
        *flow("image", "windows", "local", "seen", "cls"), *flow("tags", "cls"),
        *stop("seen", "target"), *flow("saliency", "target"), *flow("tags", "target"),
        *flow("target", "knowledge"), *flow("target", "shape"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

USAGE = Diagram(
    "usage",
    "USAGE",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("net", "classifier", (0, 2), "classifier"),
        step("maps", "class maps", (0, 3)),
        step("pool", "pooled at a\ntemperature", (1, 4), idea=True),
        term("generation", "classification", (2, 5)),
        step("thin", "features without\nsome channels", (1, 6), idea=True, wide=1.1),
        step("again", "what the classifier\nmakes of them", (1, 7), wide=1.1),
        term("consistency", "the same seed", (1, 8), idea=True),
        answer("maps, over\ntheir maximum", (0, 9)),
    ),
    (
        *flow("image", "backbone", "net", "maps", "pool", "generation"),
        *flow("tags", "generation"), *stop("pool", "thin"), *flow("tags", "thin"),
        *flow("backbone", "thin", "again", "consistency"), *flow("net", "again"),
        *stop("maps", "consistency"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (PUZZLE_CAM, CPN, L2G, USAGE)
