"""Systems of one stage."""

from diagrams.description import (
    Diagram, answer, flow, frozen, given, learned, reply, same, step, stop, term,
)  # fmt: skip

ONESTAGE = Diagram(
    "onestage",
    "1-stage",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("net", "segmentation\nnetwork", (0, 1)),
        step("masks", "masks, by\nsoftmax", (0, 2)),
        step("pooled", "score: logits\nin the mask", (0, 3), idea=True),
        term("cls", "classification", (0, 4)),
        step("refined", "refined by the\ncolours (PAMR)", (1, 3)),
        step("own", "its own labels", (1, 4), idea=True),
        term("mask", "cross-entropy,\nafter warm-up", (1, 5)),
        answer("class against\nbackground", (0, 6)),
    ),
    (
        *flow("image", "net", "masks", "pooled", "cls"), *flow("tags", "cls"),
        *stop("masks", "refined"), *flow("image", "refined"), *flow("tags", "refined"),
        *flow("refined", "own", "mask"), *flow("net", "mask"),
        *reply("masks", "answer"),
    ),
)  # fmt: skip

TOCO = Diagram(
    "toco",
    "ToCo",
    (
        given("image", (1, 0)),
        given("tags", (2, 0)),
        learned("backbone", "transformer", (1, 1), "net.backbone"),
        learned("auxiliary", "classifier of a\nmiddle layer", (0, 2), "net.auxiliary"),
        learned("classifier", "classifier of\nthe last layer", (2, 2), "net.classifier"),
        term("aux", "classification", (0, 3)),
        term("cls", "classification", (2, 3)),
        step("sure", "sure patches", (0, 4)),
        step("crops", "crops where\nnone is sure", (1, 4), idea=True),
        step("labels", "labels, refined\nby PAMR", (2, 4)),
        frozen("teacher", "teacher, of the\nwhole image", (0, 5), "net.views.teacher"),
        learned(
            "student", "student, of the\ncrops as well", (1, 5),
            "net.views.query", "net.views.attention", "net.views.student",
        ),
        learned("decoder", "decoder", (2, 5), "net.decoder"),
        term("ptc", "patches of two\nclasses differ", (0, 6), idea=True),
        term("ctc", "crops of objects\nagree, others\ndo not", (1, 6), idea=True),
        term("seg", "cross-entropy", (2, 6)),
        answer("class against\nbackground", (2, 7)),
    ),
    (
        *flow("image", "backbone", "auxiliary", "aux"), *flow("backbone", "classifier", "cls"),
        *flow("tags", "cls"), *flow("tags", "aux"),
        *stop("auxiliary", "sure"), *stop("auxiliary", "crops"), *stop("classifier", "labels"),
        *flow("sure", "ptc"), *flow("backbone", "ptc"), *flow("crops", "student", "ctc"),
        *flow("teacher", "ctc"), *flow("backbone", "student"), *stop("backbone", "teacher"),
        *flow("backbone", "decoder", "seg"), *flow("labels", "seg"), *reply("decoder", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (ONESTAGE, TOCO)
