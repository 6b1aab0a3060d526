"""Systems that learn from scribbles and from the colours between them."""

from diagrams.description import Diagram, answer, flow, given, learned, reply, step, stop, term

RLOSS = Diagram(
    "rloss",
    "Regularised losses (KernelCut)",
    (
        given("image", (0, 0)),
        given("scribble", (2, 0)),
        learned("net", "segmentation\nnetwork", (1, 1)),
        step("kernel", "which pixels\nare near and\nalike", (0, 1)),
        term("crf", "links that are\ncut, of all", (0, 2), idea=True),
        term("cut", "of those that\neach class has", (1, 2), idea=True),
        term("seg", "cross-entropy of\nthe drawn pixels", (2, 2)),
        answer("class against\nbackground", (1, 3)),
    ),
    (
        *flow("image", "net", "cut"), *flow("image", "kernel", "crf"), *flow("kernel", "cut"),
        *flow("net", "crf"), *flow("net", "seg"), *flow("scribble", "seg"),
        *flow("scribble", "cut"), *reply("net", "answer"),
    ),
)  # fmt: skip

DFR = Diagram(
    "dfr",
    "DFR",
    (
        given("image", (0, 0)),
        given("scribble", (2, 0)),
        learned("net", "segmentation\nnetwork", (2, 1)),
        learned("head", "deep features", (0, 2), idea=True),
        step("known", "cells with a stroke\nor a sure answer", (1, 2), wide=1.1),
        step("kernel", "near, of one\ncolour, and alike\nto the network", (2, 3), idea=True),
        term("consistent", "one class, one\nfeature", (0, 4), idea=True),
        term("crf, cut", "links that are\ncut", (1, 4), key="energies"),
        term("seg", "cross-entropy of\nthe drawn pixels", (0, 3)),
        answer("class against\nbackground", (1, 5)),
    ),
    (
        *flow("image", "net", "head", "consistent"), *flow("image", "kernel", "energies"),
        *stop("head", "kernel"), *flow("scribble", "known", "consistent"), *stop("net", "known"),
        *flow("net", "energies"), *flow("net", "seg"), *flow("scribble", "seg"),
        *flow("scribble", "energies"), *reply("net", "answer"),
    ),
)  # fmt: skip

BPG = Diagram(
    "bpg",
    "BPG",
    (
        given("image", (0, 0)),
        given("scribble", (2, 0)),
        step("edges", "edge map", (0, 1)),
        learned("backbone", "backbone", (1, 1), "net.backbone"),
        learned("perception", "boundary\nbranch", (0, 2), "net.perception", idea=True),
        learned(
            "coarse", "pyramid, first\nprediction", (2, 2), "net.pyramid", "net.classifier",
        ),
        learned("boundary", "boundaries", (0, 3), "net.boundary"),
        learned(
            "refinement", "finer features\nadded, predicted\nagain: each step", (1, 3),
            "net.refinement", "net.detail", idea=True,
        ),
        term("edge", "edges, redrawn", (0, 4), idea=True),
        term("seg", "cross-entropy of\nthe drawn pixels,\nat each step", (2, 4)),
        answer("class against\nbackground", (1, 5)),
    ),
    (
        *flow("image", "edges", "edge"), *flow("image", "backbone", "perception"),
        *flow("perception", "boundary", "edge"),
        *flow("backbone", "coarse", "refinement"), *flow("backbone", "refinement"),
        *flow("image", "refinement"), *flow("perception", "refinement"),
        *flow("refinement", "seg"), *flow("coarse", "seg"), *flow("scribble", "seg"),
        *reply("refinement", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (RLOSS, DFR, BPG)
