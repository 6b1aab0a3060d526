"""Systems that stand on large models."""

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

CLIP_ES = Diagram(
    "clip_es",
    "CLIP-ES",
    (
        given("image", (0.5, 0)),
        given("tags", (1.5, 0)),
        frozen("clip", "CLIP", (0.5, 1)),
        step("rivals", "softmax: classes\nand grounds are\nrivals", (1.5, 2), idea=True),
        step("attention", "attention\nof patches", (0.5, 3)),
        step("cam", "Grad-CAM of\neach class", (1.5, 3)),
        step("carried", "carried along\nthe attention", (1.5, 4), idea=True),
        answer("divided by\nits maximum", (1.5, 5)),
    ),
    (
        *flow("image", "clip", "rivals", "cam", "carried", "answer"), *flow("tags", "rivals"),
        *flow("clip", "attention", "carried"),
    ),
)  # fmt: skip

CLIMS = Diagram(
    "clims",
    "CLIMS",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("net", "backbone and\nclassifier", (0, 1), "backbone", "classifier"),
        step("maps", "class maps", (0, 2)),
        term("cls", "classification,\nfirst part only", (2, 2)),
        step("inside", "what the map\nshows", (0, 3), idea=True),
        step("outside", "what the map\nhides", (1, 3), idea=True),
        term("area", "small maps", (2, 3)),
        frozen("clip", "CLIP compares with sentences", (0.5, 4), "clip", wide=2, idea=True),
        term("shown", "like the class", (0, 5)),
        term("hidden", "no longer like\nthe class", (1, 5)),
        term("backgrounds", "what is shown is\nno background", (2, 5)),
        answer("rectified, over\nits maximum", (0, 6)),
    ),
    (
        *flow("image", "net", "maps", "cls"), *flow("tags", "cls"), *flow("maps", "inside", "clip"),
        *flow("maps", "outside", "clip"), *flow("maps", "area"), *flow("image", "inside"),
        *flow("clip", "shown"), *flow("clip", "hidden"), *flow("clip", "backgrounds"),
        *reply("maps", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

MMCST = Diagram(
    "mmcst",
    "MMCST",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        frozen("clip", "CLIP", (1, 1), "text_tokens.clip"),
        learned("fit", "image-language\ncontext", (1, 2), "text_tokens.fit", idea=True),
        learned("words", "sentences as\ntokens", (2, 2), "text_tokens.words", idea=True),
        learned(
            "transformer", "transformer: patches, and\ntwo tokens for each class", (0.5, 3),
            "backbone", "transformer", wide=2,
        ),
        step("mean", "mean of\neach token", (0, 4)),
        step("context", "visual context:\nwhat it looks at", (1, 4), idea=True),
        term("tokens", "classification", (0, 5)),
        step("classifiers", "dense\nclassifiers", (2, 5), idea=True),
        step("maps", "class maps of\nboth kinds", (1, 6)),
        term("visual", "classification", (1, 7)),
        term("textual", "classification", (2, 7)),
        step("fused", "times attention,\nmean of both", (0, 7)),
        answer("over its\nmaximum", (0, 8)),
    ),
    (
        *flow("image", "transformer", "mean", "tokens"), *flow("image", "clip", "fit"),
        *flow("clip", "words", "transformer"), *flow("fit", "transformer"),
        *flow("words", "classifiers"), *flow("transformer", "maps"),
        *flow("transformer", "classifiers"), *stop("transformer", "context"),
        *flow("context", "classifiers", "maps", "visual"), *flow("maps", "textual"),
        *flow("tags", "tokens"), *flow("tags", "visual"), *flow("tags", "textual"),
        *reply("maps", "fused"), *reply("transformer", "fused"), *reply("fused", "answer"),
        *reply("tags", "answer"),
    ),
)  # fmt: skip

SAM_PSEUDO = Diagram(
    "sam_pseudo",
    "SAM-enhanced pseudo labels",
    (
        given("image", (0, 0)),
        given("scores", (1, 0), "of CAM"),
        given("tags", (2, 0)),
        frozen("sam", "SAM", (0, 1)),
        step("labels", "labels, cut at\na threshold", (1, 1)),
        step("masks", "masks of\neverything", (0, 2)),
        step("named", "a mask takes the\nclass that fills it", (1, 3), idea=True, wide=1.2),
        answer("masks with\na class", (1, 4)),
    ),
    (
        *flow("image", "sam", "masks", "named", "answer"), *flow("scores", "labels", "named"),
        *flow("tags", "labels"),
    ),
)  # fmt: skip

GROUNDED_SAM = Diagram(
    "grounded_sam",
    "Grounded SAM",
    (
        given("image", (0.5, 0)),
        given("tags", (1.5, 0)),
        step("sentences", "sentences that\nname them", (1.5, 1)),
        frozen("detector", "detector that\nreads", (1.5, 2)),
        step("boxes", "boxes of the\nclasses", (1.5, 3), idea=True),
        frozen("sam", "SAM", (1.5, 4)),
        answer("a mask for\neach box", (1.5, 5)),
    ),
    (
        *flow("tags", "sentences", "detector", "boxes", "sam", "answer"),
        *flow("image", "detector"), *flow("image", "sam"),
    ),
)  # fmt: skip

DIAGRAMS = (CLIP_ES, CLIMS, MMCST, SAM_PSEUDO, GROUNDED_SAM)
