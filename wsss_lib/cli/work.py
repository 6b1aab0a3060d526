"""Commands that make something: toy worlds, runs, figures."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from wsss_lib.cli.errors import screen


def toy(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    world: Annotated[int, typer.Option(min=0, help="Seed of the world.")] = 0,
    variant: Annotated[
        str, typer.Option(help="standard, cooccurrence, organs or scenes.")
    ] = "standard",
    train: Annotated[int, typer.Option(min=1, help="Images for training.")] = 512,
    val: Annotated[int, typer.Option(min=0, help="Images for validation.")] = 256,
) -> None:
    """Draw a toy world, with masks and labels, in PASCAL VOC layout."""
    from wsss_lib.data.toy import write_toy

    root = write_toy(folder, world, variant, train, val)
    screen().print(
        f"{train} training and {val} validation images are in {root}. Next:\n"
        f"  wsss run cam affinitynet segmenter --data {root} --out runs/first",
        soft_wrap=True,
    )  # fmt: skip


def run(
    data: Annotated[Path, typer.Option(help="Data folder; check it with `wsss doctor`.")],
    out: Annotated[Path, typer.Option(help="Where labels, figures and the report go.")],
    systems: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYSTEM...", help="In order; see `wsss list --built`."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="A system at the size of its paper, with the stages around it."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="A recipe on 8 small images, with random weights.")
    ] = False,
    split: Annotated[str, typer.Option(help="Images to learn from and to label.")] = "train",
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of weights, order and augmentation.")
    ] = 0,
    net: Annotated[
        str,
        typer.Option(
            help="toy, efficientnet_lite0, mobilenet_v2, resnet50, resnet101, or paper: as in "
            "recipes. auto: toy for the toy world, efficientnet_lite0 for photographs."
        ),
    ] = "auto",
    weights: Annotated[
        str | None,
        typer.Option(help="Folded MobileNetV2 weights (.npz), or: random. Else ImageNet's."),
    ] = None,
    longest: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Resize to this longest side (toy and recipes: as it is, or 320 and 500 where "
            "some image has more than 2048; others: 320).",
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps of each stage (those of its recipe).")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Between background and classes, in hundredths (chosen on the first tenth of "
            "the images, at least 5, if 15 or more have masks; else 0.3).",
        ),
    ] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Leave a GPU alone.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that read images (one for each core, at most 8, beside a GPU; else 0).",
        ),
    ] = None,
    factor: Annotated[
        float,
        typer.Option(
            "--steps-times",
            min=0.0,
            help="Multiply the steps of every recipe: 7.8 gives COCO as many epochs as VOC.",
        ),
    ] = 1.0,
    at_once: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Most images of a batch that are trained on at once; the gradients of its parts "
            "are added up. For GPUs with little memory.",
        ),
    ] = None,
    precision: Annotated[
        Literal["no", "fp16", "bf16"] | None,
        typer.Option(help="Of training (as in the recipes: no, which is float32)."),
    ] = None,
) -> None:
    """Run systems one after the other; each learns from the scores of the one before.

    OUT/SYSTEM/labels holds the pseudo-labels, OUT/SYSTEM/result.json the figures, OUT/report.html
    shows both. An interrupted run goes on when it is started again.
    """  # fmt: skip
    from rich.table import Table

    from wsss_lib.cli.pipeline import Plan, run_plan
    from wsss_lib.core import InputError
    from wsss_lib.data.atomic import is_first_process
    from wsss_lib.recipes import chain

    if bool(systems) == bool(recipe):
        raise InputError("Name the systems to run, or one --recipe; see `wsss list --built`.")
    if recipe:
        systems, net = [*chain(recipe)], "paper"
    weights = "random" if dry_run else weights
    plan = Plan(
        tuple(systems or ()), data, out, split, seed, net, weights, longest, steps, threshold, cpu,
        dry_run, workers, factor, at_once, precision,
    )  # fmt: skip
    console = screen(quiet=not is_first_process())
    outcomes = run_plan(plan, lambda text: console.print(text, soft_wrap=True))
    table = Table("stage", box=None, pad_edge=False)
    for title in ("mean IoU", "threshold", "seconds"):
        table.add_column(title, justify="right")
    table.add_column("protocol")
    for outcome in outcomes:
        for protocol, figures in outcome.lines:
            value = figures.get("miou")
            table.add_row(
                outcome.name, "–" if value is None else f"{value:.3f}",
                f"{figures['threshold']:.2f}", f"{figures['seconds']:.0f}",
                f"{protocol.split}; {protocol.threshold_rule} threshold; "
                f"{'with' if protocol.labels_at_inference else 'without'} image labels",
            )  # fmt: skip
    console.print(table)
    console.print(f"\nLook at {out / 'report.html'}", soft_wrap=True)


def evaluate(
    what: Annotated[Path, typer.Argument(help="Folder of label PNGs or of stored scores.")],
    data: Annotated[Path, typer.Option(help="Data folder with masks.")],
    split: Annotated[
        str | None,
        typer.Option(help="Images to score (val; all of a folder that does not divide them)."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="For scores (chosen on the first tenth, at least 5 images)."
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--json", help="Also write the figures here.")
    ] = None,
) -> None:
    """Compare label images or scores with the masks of a data set."""
    from rich.table import Table

    from wsss_lib.cli.compare import compare

    evaluation, protocol, count = compare(what, data, split, threshold, save)
    figures = evaluation.figures()
    table = Table("class", box=None, pad_edge=False)
    table.add_column("IoU", justify="right")
    for name, value in zip(("background", *evaluation.classes), figures["iou"], strict=True):
        table.add_row(name, "–" if value is None else f"{value:.4f}")
    table.add_row("mean", f"{figures['miou']:.4f}", style="bold")
    console = screen()
    console.print(table)
    console.print(
        f"\n{count} images of {protocol.data}, {protocol.split}. Foreground classes: "
        f"precision {figures['precision']:.4f}, recall {figures['recall']:.4f}, "
        f"boundary IoU {figures['boundary_iou']:.4f}.",
        soft_wrap=True,
    )
    if protocol.threshold_rule != "argmax":
        console.print(f"Threshold {figures['threshold']:.2f}: {protocol.threshold_rule}.")
