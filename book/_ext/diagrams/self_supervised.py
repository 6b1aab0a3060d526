"""Systems that teach themselves."""

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

SEAM = Diagram(
    "seam",
    "SEAM",
    (
        given("image", (0, 0)),
        step("small", "the image,\nsmaller", (2, 0), idea=True),
        learned("net", "backbone and\nclassifier", (0, 1), "backbone", "classifier"),
        learned("twin", "backbone and\nclassifier", (2, 1), "backbone", "classifier"),
        step("seen", "colours and\nfeatures", (0, 2)),
        step("seen2", "colours and\nfeatures", (2, 2)),
        step("maps", "class maps", (0, 3)),
        step("maps2", "class maps", (2, 3)),
        given("tags", (1, 3)),
        term("cls", "classification", (1, 4)),
        term("er", "maps agree", (1, 5), idea=True),
        learned("pcm", "pixel\ncorrelation", (0, 6), "correlation", idea=True),
        learned("pcm2", "pixel\ncorrelation", (2, 6), "correlation", idea=True),
        term("ecr", "refined: agree\nwith the other\nview's maps", (1, 7)),
        term("quiet", "faintest quarter\nof the places:\nto 0", (1, 8)),
        answer("refined maps", (0, 9)),
    ),
    (
        *flow("image", "small", "twin", "maps2"), *flow("image", "net", "maps"),
        *same("net", "twin"), *flow("image", "seen", "pcm"), *flow("small", "seen2", "pcm2"),
        *stop("net", "seen"), *stop("twin", "seen2"),
        *flow("maps", "cls"), *flow("maps2", "cls"), *flow("tags", "cls"),
        *flow("maps", "er"), *flow("maps2", "er"), *flow("tags", "er"),
        *stop("maps", "pcm"), *stop("maps2", "pcm2"),
        *same("pcm", "pcm2"), *flow("pcm", "ecr"), *flow("pcm2", "ecr"),
        *stop("maps", "ecr"), *stop("maps2", "ecr"),
        *flow("pcm", "quiet"), *flow("pcm2", "quiet"),
        *reply("pcm", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

ADVCAM = Diagram(
    "advcam",
    "AdvCAM",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("net", "backbone and\nclassifier", (0, 1), "backbone", "classifier"),
        step("maps", "class maps", (0, 2)),
        step("pool", "mean over\nall pixels", (1, 2)),
        term("cls", "classification", (2, 2)),
        step("climb", "image, changed to\nraise the score", (0.5, 3), idea=True, wide=1.4),
        step("hold", "parts that count\nare held there", (1.9, 3), idea=True, wide=1.1),
        step("sum", "maps along the\nclimb, added up", (0, 4)),
        answer("divided by\nits maximum", (0, 5)),
    ),
    (
        *flow("image", "net", "maps", "pool", "cls"), *flow("tags", "cls"),
        *reply("image", "climb"), *reply("maps", "climb"), *reply("hold", "climb"),
        *reply("maps", "hold"), *reply("climb", "sum", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (SEAM, ADVCAM)
