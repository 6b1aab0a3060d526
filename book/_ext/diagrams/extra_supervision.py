"""Systems that see a saliency map: afterwards, as a second task, as a constraint."""

from diagrams.description import (
    Diagram,
    answer,
    flow,
    given,
    learned,
    reply,
    step,
    term,
)

GUIDED_LABELS = Diagram(
    "guided_labels",
    "Guided Labelling",
    (
        given("scores", (0, 0), "of CAM"),
        given("tags", (1, 0)),
        given("saliency", (2, 0)),
        step("seeds", "seeds: strongest\nclass, if strong\nenough", (0.5, 1)),
        step("regions", "regions that\nstand out", (2, 1)),
        given("image", (0, 2)),
        step("rule", "a region takes the\nclass of its seeds", (1.5, 2), idea=True, wide=1.3),
        step("share", "two classes in it:\na CRF shares it out", (0.5, 3), wide=1.3),
        answer("guide labels", (1.5, 4)),
    ),
    (
        *flow("scores", "seeds"), *flow("tags", "seeds"), *flow("saliency", "regions", "rule"),
        *flow("seeds", "rule", "share", "answer"), *flow("image", "share"),
        *flow("rule", "answer"),
    ),
)  # fmt: skip

SSNET = Diagram(
    "ssnet",
    "SSNet",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        given("saliency", (2, 0)),
        learned("backbone", "backbone", (0, 1), "net.backbone"),
        learned("segment", "masks, from\nthree depths", (0, 2), "net.segment"),
        learned("aggregate", "how salient is\neach class?", (1, 2), "net.aggregate", idea=True),
        step("drawn", "salient masks,\nadded up", (1, 3), idea=True),
        term("cls, coarse", "classification", (0, 4)),
        term("sal", "equal to the\nsaliency map", (2, 4), idea=True),
        answer("class against\nbackground", (1, 5)),
    ),
    (
        *flow("image", "backbone", "segment", "drawn", "sal"), *flow("saliency", "sal"),
        *flow("backbone", "aggregate", "drawn"), *flow("segment", "cls, coarse"),
        *flow("tags", "cls, coarse"), *reply("segment", "answer"),
    ),
)  # fmt: skip

I2CRC = Diagram(
    "i2crc",
    "I2CRC",
    (
        given("image", (0, 0)),
        given("tags", (1, 0)),
        given("saliency", (2, 0)),
        learned("net", "backbone and\nclassifier", (0, 1), "backbone", "head"),
        step("maps", "class maps", (0, 2)),
        term("cls", "classification", (1, 2)),
        step("centres", "their means on\neither side of\nthe saliency map", (1, 3), idea=True),
        term("intra_fg, intra_bg", "each side:\none value", (0, 4), idea=True),
        term("inter", "the class: higher\nwhere it stands\nout", (2, 4), idea=True),
        answer("class against\nwhat does not\nstand out", (1, 5)),
    ),
    (
        *flow("image", "net", "maps", "cls"), *flow("tags", "cls"), *flow("maps", "centres"),
        *flow("tags", "centres"), *flow("saliency", "centres"),
        *flow("centres", "intra_fg, intra_bg"), *flow("centres", "inter"),
        *reply("maps", "answer"), *reply("tags", "answer"), *reply("saliency", "answer"),
    ),
)  # fmt: skip

DIAGRAMS = (GUIDED_LABELS, SSNET, I2CRC)
