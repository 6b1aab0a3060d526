"""Systems that learn from tags by erasing."""

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

TWO_PHASE = Diagram(
    "two_phase",
    "Two-Phase",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1), "live.backbone"),
        frozen("first", "network of the\nfirst phase,\nfrozen", (1, 1), "first"),
        step("masked", "features, zero\nwhere the first\nis hot", (0, 2), idea=True),
        learned("head", "linear\nclassifier", (0, 3), "live.head"),
        term("cls", "classification", (1, 4)),
        answer("larger of both,\nover their\nmaxima", (0, 5)),
    ),
    (
        *flow("image", "backbone", "masked", "head", "cls"), *flow("image", "first"),
        *stop("first", "masked"), *flow("tags", "masked"), *flow("tags", "cls"),
        *reply("head", "answer"), *reply("first", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

SEENET = Diagram(
    "seenet",
    "SeeNet",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("first", "first branch", (0, 2)),
        step("turned", "hot zero, cold\nwith its sign\nturned", (1, 3), idea=True),
        step("cold", "cold alone", (2, 3), idea=True),
        learned("second", "second branch", (1, 4)),
        learned("third", "third branch", (2, 4)),
        term("first", "classification", (0, 5), key="first term"),
        term("second", "classification", (1, 5), key="second term"),
        term("nothing", "no class at all", (2, 5), idea=True),
        answer("larger of both,\nover their\nmaxima", (0, 6)),
    ),
    (
        *flow("image", "backbone", "first", "first term"), *flow("tags", "first term"),
        *flow("backbone", "turned", "second", "second term"), *flow("tags", "second term"),
        *flow("backbone", "cold", "third", "nothing"), *stop("first", "turned"),
        *stop("first", "cold"), *flow("tags", "turned"), *flow("tags", "cold"),
        *reply("first", "answer"), *reply("second", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

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

ECS_NET = Diagram(
    "ecs_net",
    "ECS-Net",
    (
        given("image", (0, 0)),
        given("tags", (2, 0)),
        learned("backbone", "backbone", (0, 1)),
        learned("classifier", "classifier", (1, 2)),
        term("cls", "classification", (2, 2)),
        step("left", "image without\nwhat was found", (1, 3), idea=True),
        learned("again", "backbone", (1, 4), "backbone"),
        learned("second", "classifier", (1, 5), "classifier"),
        term("erased", "classification", (2, 5)),
        step("labels", "labels: erased, or\nfound and joined", (1, 6), idea=True),
        learned("head", "segmentation\nhead", (0, 7)),
        term("seg", "cross-entropy", (1, 7)),
        answer("class against\nbackground", (0, 8)),
    ),
    (
        *flow("image", "backbone", "classifier", "cls"), *flow("tags", "cls"),
        *flow("image", "left"), *stop("classifier", "left"), *flow("tags", "left"),
        *flow("left", "again", "second", "erased"), *flow("tags", "erased"),
        *stop("second", "labels"), *flow("tags", "labels"), *flow("labels", "seg"),
        *flow("backbone", "head", "seg"), *reply("head", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

ACR = Diagram(
    "acr",
    "ACR",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        learned("classifier", "classifier", (0, 1)),
        learned(
            "features", "reconstructor:\nits features", (2, 1),
            "reconstructor.classifier", "reconstructor.reduce",
        ),
        term("cls", "classification", (1, 2)),
        term("rival", "classification", (2, 2)),
        step("segment", "one class\nagainst the rest", (0, 3), idea=True),
        step("alone", "features of one\nof both alone", (0, 4), idea=True),
        step("hidden", "cells of one\nof both hidden", (2, 4)),
        frozen("judge", "decoder", (0, 5), "reconstructor.decoder", idea=True),
        learned("painter", "decoder", (2, 5), "reconstructor.decoder"),
        learned("whole", "decoder", (1, 5), "reconstructor.decoder"),
        term("fool_rest, fool_segment", "the other is\npainted badly", (0, 6), idea=True,
             key="fool"),
        term("paint", "all is\npainted well", (1, 6)),
        term("paint_segment, paint_rest", "the hidden is\npainted well", (2, 6),
             key="parts"),
        answer("rectified and\nstretched", (0, 7)),
    ),
    (
        *flow("image", "classifier", "cls"), *flow("tags", "cls"),
        *flow("image", "features", "rival"), *flow("tags", "rival"),
        *flow("classifier", "segment", "alone", "judge", "fool"), *flow("tags", "segment"),
        *stop("features", "alone"), *flow("features", "hidden", "painter", "parts"),
        *stop("segment", "hidden"), *stop("features", "whole"), *flow("whole", "paint"),
        *same("judge", "whole"), *same("whole", "painter"),
        *reply("classifier", "answer"), *reply("tags", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (TWO_PHASE, AE_PSL, SEENET, CSE, ECS_NET, ACR)
"""All diagrams by name."""
