"""Systems of one stage."""

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

ONESTAGE = Diagram(
    "onestage",
    "1-stage WSSS",
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
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "transformer", (0, 1), "net.backbone"),
        learned("classifier", "classifier of\nthe last layer", (1, 2), "net.classifier"),
        term("cls", "classification", (2, 2)),
        learned("auxiliary", "classifier of a\nmiddle layer", (1, 3), "net.auxiliary"),
        term("aux", "classification", (2, 3)),
        step("crops", "crops where\nnone is sure", (1, 4), idea=True),
        learned("again", "the same\ntransformer", (1, 5), "net.backbone"),
        frozen("teacher", "teacher: the\nwhole image", (2, 5), "net.views.teacher"),
        learned(
            "student", "student: the\ncrops as well", (1, 6),
            "net.views.query", "net.views.attention", "net.views.student",
        ),
        term("ctc", "alike if a crop\nshows an object", (2, 6), idea=True),
        step("labels", "labels, refined\nby PAMR", (2, 7)),
        learned("decoder", "decoder", (1, 8), "net.decoder"),
        term("seg", "cross-entropy", (2, 8)),
        term("ptc", "sure patches\ndiffer by class", (0, 9), idea=True),
        answer("class against\nbackground", (1, 9)),
    ),
    (
        *flow("image", "backbone", "classifier", "cls"), *flow("backbone", "auxiliary", "aux"),
        *flow("tags", "cls"), *flow("tags", "aux"), *stop("auxiliary", "crops"),
        *stop("backbone", "teacher"), *flow("backbone", "student"),
        *flow("image", "crops", "again", "student", "ctc"), *flow("teacher", "ctc"),
        *stop("classifier", "labels"), *flow("image", "labels"), *flow("tags", "labels"),
        *flow("backbone", "decoder", "seg"),
        *flow("labels", "seg"), *flow("backbone", "ptc"), *stop("auxiliary", "ptc"),
        *reply("decoder", "answer"),
    ),
)  # fmt: skip

BRANCH = ("net.pyramid", "net.decoder", "net.classifier", "net.detail")
"""The segmentation branch of two on one trunk."""

RRM = Diagram(
    "rrm",
    "RRM",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "shared trunk", (1, 1), "net.backbone"),
        learned("classifier", "classifier", (2, 2)),
        term("cls", "classification", (2, 3)),
        learned("branch", "segmentation\nbranch", (0, 2), *BRANCH),
        step("labels", "labels of which\nmap and colour\nare sure", (1, 3), idea=True),
        term("seg", "cross-entropy,\neach side apart", (1, 4)),
        term("energy", "near, alike, but\ntwo classes?", (0, 5), idea=True),
        answer("class against\nbackground", (1, 6)),
    ),
    (
        *flow("image", "backbone", "classifier", "cls"), *flow("tags", "cls"),
        *flow("backbone", "branch", "seg"), *stop("classifier", "labels"),
        *flow("image", "labels"), *flow("tags", "labels"), *flow("labels", "seg"),
        *flow("labels", "energy"), *flow("branch", "energy"), *flow("image", "energy"),
        *reply("branch", "answer"),
    ),
)  # fmt: skip

AALR = Diagram(
    "aalr",
    "AA+LR",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "shared trunk", (1, 1), "net.backbone"),
        learned("classifier", "classifier", (2, 2)),
        term("cls", "classification", (2, 3)),
        learned("branch", "segmentation\nbranch", (0, 2), *BRANCH),
        step("labels", "labels of which\nmap and colour\nare sure", (1, 3)),
        term("seg", "cross-entropy,\neach side apart", (2, 4)),
        term("affinity", "pairs: as alike\nas their labels", (0, 5), idea=True),
        step("judged", "labels, judged\nby features", (1, 5), idea=True),
        term("reassign", "cross-entropy\nwith these", (1, 6), idea=True),
        answer("class against\nbackground", (0, 7)),
    ),
    (
        *flow("image", "backbone", "classifier", "cls"), *flow("tags", "cls"),
        *flow("backbone", "branch", "seg"), *stop("classifier", "labels"),
        *flow("image", "labels"), *flow("tags", "labels"), *flow("labels", "seg"),
        *flow("labels", "affinity"), *flow("branch", "affinity"), *flow("labels", "judged"),
        *flow("tags", "judged"), *stop("branch", "judged"), *flow("judged", "reassign"),
        *flow("branch", "reassign"), *reply("branch", "answer"),
    ),
)  # fmt: skip

AFA = Diagram(
    "afa",
    "AFA",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "transformer", (0, 1), "net.backbone"),
        learned("classifier", "classifier", (2, 1), "net.classifier"),
        term("cls", "classification", (2, 2)),
        step("maps", "class maps", (1, 3)),
        step("found", "their labels,\nrefined by PAR", (2, 4)),
        learned("pairs", "affinity: weighs\nthe attention", (0, 4), "net.pairs", idea=True),
        term("aff", "alike if labels\nare alike", (2, 5), idea=True),
        step("step", "maps take a step\nalong affinities", (1, 6), idea=True),
        step("stepped", "labels of these,\nrefined by PAR", (1, 7)),
        learned("decoder", "decoder", (0, 7), "net.decoder"),
        term("seg", "cross-entropy", (1, 8)),
        answer("class against\nbackground", (0, 9)),
    ),
    (
        *flow("image", "backbone", "classifier", "cls"), *flow("tags", "cls"),
        *stop("classifier", "maps"), *flow("tags", "maps"),
        *flow("maps", "found", "aff"), *flow("image", "found"), *flow("backbone", "pairs", "aff"),
        *flow("maps", "step"), *stop("pairs", "step"), *flow("step", "stepped", "seg"),
        *flow("image", "stepped"), *flow("backbone", "decoder", "seg"),
        *reply("decoder", "answer"),
    ),
)  # fmt: skip

MDBA = Diagram(
    "mdba",
    "MDBA",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        given("saliency", (2, 0)),
        learned("net", "segmentation\nnetwork", (0, 1), "net"),
        term("cls", "classification", (1, 1)),
        step("labels", "simple images:\nclass × saliency", (2, 1)),
        step("believed", "those that agree\nas well as usual", (2, 2), idea=True),
        step("mixed", "half the time:\nmixed", (2, 3), idea=True),
        learned("again", "the same\nnetwork", (1, 4), "net"),
        term("seg", "cross-entropy,\neasy pixels", (1, 5), idea=True),
        frozen("held", "discriminator", (0, 6), "judge"),
        learned("judge", "discriminator", (2, 6), "judge"),
        term("fool", "masks look\nlike labels", (0, 7), idea=True),
        term("drawn, label", "which is\nwhich?", (2, 7)),
        answer("class against\nbackground", (1, 8)),
    ),
    (
        *flow("image", "net"), *flow("tags", "labels"), *flow("saliency", "labels", "believed"),
        *stop("net", "believed"), *flow("believed", "mixed", "again", "seg"),
        *flow("mixed", "seg"), *flow("image", "mixed"),
        *flow("net", "cls"), *flow("tags", "cls"),
        *flow("net", "held", "fool"), *stop("net", "judge"), *flow("believed", "judge"),
        *flow("judge", "drawn, label"), *same("held", "judge"),
        *reply("net", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (ONESTAGE, RRM, AALR, AFA, TOCO, MDBA)
