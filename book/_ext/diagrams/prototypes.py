"""Systems that compare features with what stands for a class or a side."""

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

PPC = Diagram(
    "ppc",
    "PPC",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        step("views", "the image and a\nsmaller copy", (0, 1)),
        learned("net", "backbone and\nclassifier", (0, 2), "backbone", "classifier"),
        learned("vectors", "vectors", (0, 3), "projection"),
        learned("pcm", "pixel\ncorrelation", (1, 3), "correlation"),
        term("cls, er", "as in SEAM", (1, 2), key="seam"),
        term("quiet, ecr", "as in SEAM", (2, 3), key="refined"),
        step("sure", "labels and\nprototypes of\neach view", (1, 4), idea=True),
        term("cross_prototype", "other view's\nprototypes", (0, 5), idea=True, wide=1.03),
        term("cross_label", "labels of\nthe other\nview", (1, 5), idea=True),
        term("intra", "in one view:\nhard pixels", (2, 5), idea=True),
        answer("refined maps", (2, 6)),
    ),
    (
        *flow("image", "views", "net", "vectors"), *stop("net", "pcm"), *flow("net", "seam"),
        *flow("pcm", "refined"), *flow("tags", "seam"), *stop("net", "refined"),
        *stop("vectors", "sure"), *stop("pcm", "sure"), *flow("tags", "sure"),
        *flow("vectors", "cross_prototype"), *flow("vectors", "cross_label"),
        *flow("vectors", "intra"), *flow("sure", "cross_prototype"), *flow("sure", "cross_label"),
        *flow("sure", "intra"), *reply("pcm", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

C2AM = Diagram(
    "c2am",
    "C2AM",
    (
        given("image", (0, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("disentangler", "one map, of\nno class", (1, 1), idea=True),
        step("one", "mean feature\nunder the map", (0, 2)),
        step("other", "mean feature of\nwhat it leaves", (2, 2)),
        term("one_side", "alike across\nimages", (0, 3), idea=True),
        term("apart", "sides differ", (1, 3), idea=True),
        term("other_side", "alike across\nimages", (2, 3), idea=True),
        step("sign", "turned round, if\nits border is\nbright", (1, 4)),
        given("scores", (0, 5)),
        given("tags", (2, 5)),
        answer("scores against\nthe map's other\nside", (1, 6)),
    ),
    (
        *flow("image", "backbone", "disentangler", "one", "one_side"), *flow("backbone", "one"),
        *flow("disentangler", "other", "other_side"), *flow("backbone", "other"),
        *flow("one", "apart"), *flow("other", "apart"), *reply("disentangler", "sign", "answer"),
        *reply("scores", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

SIPE = Diagram(
    "sipe",
    "SIPE",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("classifier", "classifier", (2, 1)),
        term("cls", "classification", (2, 2)),
        learned("sides", "features of\nall depths", (0, 3)),
        step("general", "general maps\nand background", (1, 2)),
        step("seeds", "each place to\nthe map that it\noverlaps most", (1, 3), idea=True),
        step("prototypes", "prototypes of\nthis image", (0, 4), idea=True),
        step("specific", "image-specific\nmaps", (0, 5), idea=True),
        term("gsc", "both maps\nagree", (1, 5), idea=True),
        answer("class against\nbackground", (0, 6)),
    ),
    (
        *flow("image", "backbone", "classifier", "cls"), *flow("tags", "cls"),
        *flow("classifier", "general", "gsc"), *flow("tags", "general"), *stop("general", "seeds"),
        *stop("backbone", "seeds"), *stop("backbone", "sides"), *flow("seeds", "prototypes"),
        *flow("sides", "prototypes", "specific", "gsc"), *flow("sides", "specific"),
        *reply("sides", "seeds"), *reply("specific", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (PPC, C2AM, SIPE)
