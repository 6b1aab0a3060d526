"""Systems that learn from tags by erasing."""

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

AE_PSL = Diagram(
    "ae_psl",
    "Adversarial erasing",
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
    "Class-specific erasing",
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

DIAGRAMS = (AE_PSL, CSE)
"""All diagrams by name."""
