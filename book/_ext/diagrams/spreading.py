"""Systems that spread marks over the picture: by walks, by segments, by decisions."""

from diagrams.description import Diagram, answer, flow, given, learned, reply, step, stop, term

RAWKS = Diagram(
    "rawks",
    "RAWKS",
    (
        given("image", (1, 0)),
        given("scribble", (2, 0)),
        learned("backbone", "backbone", (1, 1), "net.segmenter.backbone"),
        learned(
            "net", "segmentation", (0, 2), "net.segmenter.pyramid", "net.segmenter.decoder",
            "net.segmenter.detail", "net.segmenter.classifier",
        ),
        learned("edge", "boundaries", (1, 2), "net.edge", idea=True),
        step("ends", "where walks end\nthat avoid them", (1, 3), idea=True, wide=1.05),
        term("seg", "cross-entropy of\nthe drawn pixels", (2, 4)),
        term("walk", "divergence\nfrom where\nwalks end", (1, 4), idea=True),
        answer("class against\nbackground", (0, 5)),
    ),
    (
        *flow("image", "backbone", "net", "walk"), *flow("backbone", "edge", "ends", "walk"),
        *flow("scribble", "ends"), *flow("scribble", "seg"), *flow("net", "seg"),
        *reply("net", "answer"),
    ),
)  # fmt: skip

SPML = Diagram(
    "spml",
    "SPML",
    (
        given("image", (0, 0)),
        given("scribble", (2, 0)),
        learned("net", "embedding\nof pixels", (0, 1), "net.deeplab"),
        step("colours", "regions of\ncolour", (1, 1)),
        step("parts", "segments", (1, 2), idea=True),
        step("all", "and those of\nother batches", (1.5, 3)),
        term("annotation", "segments of\none label", (2, 4), idea=True),
        term("cooccurrence", "segments of\nimages that\nshare a class", (1, 4), idea=True),
        term("similarity", "segments of\none region, in\nthis image", (0, 4), idea=True),
        learned("classifier", "classifier", (0, 5), "net.classifier"),
        term("seg", "cross-entropy of\nthe drawn pixels", (2, 6)),
        answer("class against\nbackground", (0, 7)),
    ),
    (
        *flow("image", "net", "parts"), *flow("image", "colours", "parts"),
        *flow("scribble", "parts", "all", "annotation"), *flow("all", "cooccurrence"),
        *flow("parts", "similarity"), *stop("net", "classifier"), *flow("classifier", "seg"),
        *flow("scribble", "seg"), *reply("classifier", "answer"),
    ),
)  # fmt: skip

PSI = Diagram(
    "psi",
    "PSI",
    (
        given("image", (0, 0)),
        given("scribble", (2, 0)),
        learned("net", "network; cells of\nseveral sizes tell\neach other", (0, 1), idea=True),
        step("aside", "a fifth is\nput aside", (2, 1)),
        learned("decision", "is it right\nhere?", (1, 2), idea=True),
        step("grown", "strokes spread\nwhere it is", (1, 3), idea=True),
        term("seg", "cross-entropy of\nthe strokes", (0, 4)),
        term("spread", "cross-entropy of\nwhat they reach", (1, 4), idea=True),
        term("decision", "was it right\non what was\nput aside?", (2, 4), key="judged", idea=True),
        answer("class against\nbackground", (0, 5)),
    ),
    (
        *flow("image", "net", "seg"), *flow("net", "spread"), *stop("net", "decision"),
        *flow("scribble", "aside"), *flow("aside", "seg"), *flow("aside", "judged"),
        *flow("aside", "decision"), *flow("decision", "judged"), *stop("decision", "grown"),
        *flow("aside", "grown"), *flow("grown", "spread"), *stop("net", "grown"),
        *stop("net", "judged"), *reply("net", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (RAWKS, SPML, PSI)
