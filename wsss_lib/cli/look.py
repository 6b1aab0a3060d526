"""Commands that only look: systems, data folders, results."""

from pathlib import Path
from typing import Annotated, Any

import typer

from wsss_lib.cli.errors import screen


def list_systems(
    built: Annotated[bool, typer.Option("--built", help="Only what can be run here.")] = False,
) -> None:
    """List the survey's systems by its taxonomy, and which of them can be run."""
    from rich.text import Text

    from wsss_lib.survey import FAMILIES, find_cards, reported_for, systems

    console = screen()
    known, cards = systems(), find_cards()
    for family, title in FAMILIES.items():
        members = [one for one in known if one.family == family and (one.card or not built)]
        if not members:
            continue
        table = _catalogue()
        for one in members:
            line = reported_for(one.id)
            score = f"{line.val:.1f}" if line and line.val is not None else ""
            mark = "yes" if one.card else ""
            table.add_row(one.id, one.name, f"{one.venue} {one.year}", score, mark)
        console.print(Text(f"\n{title}", "bold"), table, sep="\n")
    others = {id: card for id, card in cards.items() if id not in {one.id for one in known}}
    table = _catalogue()
    for id, card in others.items():
        table.add_row(id, card.name, f"{card.venue} {card.year}", "", "yes")
    console.print(Text("\nRefiners and segmentation networks", "bold"), table, sep="\n")
    count = sum(one.card is not None for one in known)
    console.print(
        f"\n{count} of the survey's {len(known)} systems can be run here, and {len(others)} more. "
        "VOC val: mean IoU in percent as the survey's tables print it, never measured here.",
        soft_wrap=True,
    )


def _catalogue() -> Any:
    """A table whose columns have the same width under every heading."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title, width in (("id", 20), ("system", 26), ("published", 14), ("VOC val", 7)):
        table.add_column(title, min_width=width)
    table.add_column("here")
    return table


def doctor(
    data: Annotated[Path, typer.Argument(help="Data folder, in one of the two layouts.")],
) -> None:
    """Check a data folder completely; exit code 1 if something must be mended.

    PASCAL VOC layout: JPEGImages/ID.jpg, SegmentationClass/ID.png, ImageSets/Segmentation/SPLIT.txt
    with one id a line, and image_labels.csv (first line: id and the classes; then 0 or 1).

    Plain layout, for your own photographs: images/ID.jpg, labels.csv (first line: id and the
    classes, and a column "split" if you like), and masks/ID.png where you have some: 0 is
    background, then the classes in the order of labels.csv, 255 is void.

    In both, optional: boxes.csv (id,class,x0,y0,x1,y1), points.csv (id,class,x,y), Scribbles/ID.png
    and Saliency/ID.png. Weak labels that are not there are made from the masks.
    """
    from rich.table import Table
    from rich.text import Text

    from wsss_lib.doctor import examine

    found = examine(data)
    console = screen()
    if found.counts:
        table = Table("what", "count", box=None, pad_edge=False)
        for what, count in found.counts.items():
            table.add_row(what, str(count))
        console.print(table)
    for finding in found.findings:
        colour, word = ("red", "Wrong") if finding.serious else ("yellow", "Note")
        where = f" Such as {', '.join(finding.examples)}." if finding.examples else ""
        console.print(
            Text.assemble("\n", (f"{word}:", colour), f" {finding.what}{where}\n  "),
            finding.remedy, sep="", soft_wrap=True,
        )  # fmt: skip
    if found.serious:
        raise typer.Exit(1)
    console.print(f"\n{data} can be used.", style="green", soft_wrap=True)


def leaderboard(
    results: Annotated[Path, typer.Option(help="Folder of DATA/METHOD.json files.")] = Path(
        "results"
    ),
) -> None:
    """Compare all stored figures, each with its protocol."""
    from rich.table import Table

    from wsss_lib.core import InputError
    from wsss_lib.results import is_result, read_result

    found = {path: read_result(path) for path in sorted(results.glob("*/*.json"))}
    entries = [content for content in found.values() if is_result(content)]
    others = [str(path) for path, content in found.items() if not is_result(content)]
    if not entries:
        raise InputError(
            f"No results below {results}: `wsss run` writes some into its --out "
            f"folder, and those of the book come with the project. {_left_out(others)}".rstrip()
        )

    def where(entry: dict[str, Any]) -> str:
        """The data, and whether a GPU was at work: the same worlds were measured on both."""
        return entry["data"] + ("" if entry["device"].startswith("CPU") else " (GPU)")

    entries.sort(key=lambda entry: (where(entry), -entry["summary"]["miou"]["mean"]))
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("data", overflow="fold")
    table.add_column("method", no_wrap=True)
    table.add_column("mean IoU", justify="right", no_wrap=True)
    for title in ("runs", "on", "tags", "rule", "needs"):  # short, for screens of 80 characters
        table.add_column(title, overflow="fold")
    needs = sorted({need for entry in entries for need in entry["protocol"]["needs"]})
    splits = sorted({entry["protocol"]["split"] for entry in entries})
    letters = {split: chr(number) for number, split in enumerate(splits, start=ord("a"))}
    for entry in entries:
        figure, protocol = entry["summary"]["miou"], entry["protocol"]
        spread = f" ± {figure['sd']:.3f}" if figure["n"] > 1 else ""
        footnotes = ",".join(str(1 + needs.index(need)) for need in protocol["needs"])
        table.add_row(
            where(entry), entry["method"], f"{figure['mean']:.3f}{spread}", str(figure["n"]),
            letters[protocol["split"]], "yes" if protocol["labels_at_inference"] else "no",
            protocol["threshold_rule"], footnotes or "–",
        )  # fmt: skip
    console = screen()
    console.print(table)
    console.print(
        "\nMean ± standard deviation over runs. Tags: whether image labels helped to predict. "
        "Rule: the threshold is held-out (chosen on other images, with masks), fixed in advance, "
        "or argmax (a network's own). Figures of different data or splits cannot be compared.",
        soft_wrap=True,
    )
    console.print("Scored on:")
    for split, letter in letters.items():
        console.print(f"  {letter} {split}", soft_wrap=True)
    if needs:
        console.print("Needs, beyond the weak labels:")
    for number, need in enumerate(needs, start=1):
        console.print(f"  {number} {need}", soft_wrap=True)
    if others:
        console.print(_left_out(others), soft_wrap=True)


def _left_out(others: list[str]) -> str:
    """Files that are no results, "" where there are none."""
    what = f"Left out as no results with a mean IoU: {', '.join(others[:3])}"
    return f"{what}{f' and {len(others) - 3} more' if others[3:] else ''}." if others else ""
