"""Systems that ask a classifier harder questions about the same tags."""

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

SPLIT_MERGE = Diagram(
    "split_merge",
    "Splitting vs. Merging",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("one", "classifier", (0, 2)),
        learned("other", "another\nclassifier", (1, 2)),
        step("maps", "class maps\nof both", (0.5, 3), wide=1.2),
        term("cls", "classification,\ntwice", (2, 3)),
        step("shared", "the smaller\nof the two", (1, 4), idea=True),
        term("split", "in odd turns:\nmaps lie apart", (0, 5), idea=True),
        term("merge", "in even turns:\nwhat they share\nclassifies", (2, 5), idea=True),
        answer("mean of both,\nover its\nmaximum", (1, 6)),
    ),
    (
        *flow("image", "backbone", "one", "maps"), *flow("backbone", "other", "maps"),
        *flow("maps", "cls"), *flow("tags", "cls"), *flow("maps", "split"), *flow("tags", "split"),
        *flow("maps", "shared", "merge"), *flow("tags", "merge"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

SUBCAT = Diagram(
    "subcat",
    "SC-CAM",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        given("ids", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        step("pool", "mean over\nall pixels", (1, 2)),
        learned("parent", "classifier", (0, 3)),
        step("clusters", "k-means, class\nby class, once\na round", (2, 3), idea=True),
        learned("child", "classifier of\nsub-categories", (1, 4), idea=True),
        term("cls", "classification", (0, 5)),
        term("sub", "which kind\nof its class", (2, 5), idea=True),
        answer("its class maps,\nas CAM's", (0, 6)),
    ),
    (
        *flow("image", "backbone", "parent", "cls"), *flow("tags", "cls"),
        *flow("backbone", "pool", "child", "sub"), *stop("pool", "clusters"),
        *flow("tags", "clusters"), *flow("ids", "clusters"), *flow("clusters", "sub"),
        *reply("parent", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (SPLIT_MERGE, SUBCAT)
