"""Systems that put a click into another loss than the one of its pixel."""

from diagrams.description import Diagram, answer, flow, given, learned, reply, step, stop, term

PCAM = Diagram(
    "pcam",
    "PCAM",
    (
        given("tags", (0, 0)),
        given("image", (1, 0)),
        given("points", (2, 0)),
        learned("backbone", "backbone:\nfeatures", (1, 1)),
        learned("classifier", "classifier: one\nmap a class", (1, 2)),
        term("cls", "their means:\nwhich classes\nare there", (0, 3)),
        term("point", "at the clicks:\nthis class and\nno other", (2, 3), idea=True),
        step("sizes", "sizes and mirror\nimages added", (1, 4), wide=1.05),
        answer("each map by its\nmaximum", (1, 5)),
    ),
    (
        *flow("image", "backbone", "classifier", "cls"), *flow("classifier", "point"),
        *flow("tags", "cls"), *flow("points", "point"),
        *reply("classifier", "sizes", "answer"), *reply("points", "answer"),
    ),
)  # fmt: skip

PDML = Diagram(
    "pdml",
    "PDML",
    (
        given("image", (0, 0)),
        given("points", (2, 0)),
        learned("net", "segmentation\nnetwork and its\nlast features", (0, 1), wide=1.05),
        step("triplets", "clicks of all\nimages, three\nat a time", (2, 1), idea=True),
        term("metric", "one class nearer\nthan another", (1, 2), idea=True),
        step("like", "pixels near a\nclick and like it", (2, 3), idea=True),
        term("seg", "cross-entropy at\nthe clicks", (0, 4)),
        term("online", "cross-entropy\naround them", (1, 4)),
        answer("class against\nbackground", (0, 5)),
    ),
    (
        *flow("image", "net", "metric"), *flow("points", "triplets", "metric"),
        *flow("points", "like", "online"), *stop("net", "like"), *flow("net", "online"),
        *flow("net", "seg"), *flow("points", "seg"), *reply("net", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (PCAM, PDML)
