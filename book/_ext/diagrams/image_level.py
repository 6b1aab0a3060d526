"""Systems that learn from tags by erasing, by joining maps, by pasting, or with saliency."""

from diagrams.description import (
    Diagram,
    answer,
    flow,
    frozen,
    given,
    learned,
    reply,
    same,
    step,
    stop,
    term,
)

AE_PSL = Diagram(
    "ae_psl",
    "AE-PSL",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        frozen("past", "classifiers of\nearlier rounds", (0, 1), "past"),
        learned("net", "segmentation\nnetwork", (2, 1)),
        step("erased", "erase what\nthey found", (0, 2), idea=True),
        learned("live", "classifier of\nthis round", (0, 3)),
        step("permitted", "its labels, times\nwhat round one\nfinds likely", (1, 2), idea=True),
        step("union", "all that any\nround found", (1, 4)),
        term("cls", "classification", (0, 4)),
        term("seg", "cross-entropy", (1, 5)),
        term("psl", "cross-entropy,\nat the end", (1, 6)),
        answer("class against\nbackground", (2, 7)),
    ),
    (
        *flow("image", "past", "erased", "live", "cls"), *flow("image", "erased"),
        *flow("tags", "cls"), *flow("tags", "union"), *flow("image", "net"),
        *flow("erased", "union"), *stop("live", "union"), *flow("union", "seg"),
        *flow("net", "seg"), *stop("net", "permitted"), *flow("past", "permitted"),
        *flow("permitted", "psl"), *flow("net", "psl"), *reply("net", "answer"),
    ),
)  # fmt: skip

CSE = Diagram(
    "cse",
    "OC-CSE",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        learned("classifier", "classifier", (0, 1)),
        learned("ordinary", "ordinary\nclassifier", (2, 1), "ordinary"),
        step("maps", "class maps", (0, 2)),
        term("cls", "classification", (1, 2)),
        term("ordinary", "classification,\nfirst part only", (2, 2), key="ordinary term"),
        step("faded", "one class faded\nout by its map", (0, 3), idea=True),
        frozen("judge", "ordinary classi-\nfier, then frozen", (1, 4), "ordinary", idea=True),
        term("erased", "this class gone,\nthe others there", (2, 4), idea=True),
        answer("rectified, over\nits maximum", (0, 5)),
    ),
    (
        *flow("image", "classifier", "maps", "cls"), *flow("tags", "cls"),
        *flow("image", "ordinary", "ordinary term"), *flow("tags", "ordinary term"),
        *flow("maps", "faded", "judge", "erased"), *flow("image", "faded"), *flow("tags", "erased"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

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

DIAGRAMS = (AE_PSL, CSE, OAA, FICKLENET, CDA, EPS)
