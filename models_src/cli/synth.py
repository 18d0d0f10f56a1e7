# SPDX-License-Identifier: Apache-2.0
"""``segmodel synth``: a set of synthetic scenes."""

from __future__ import annotations

from pathlib import Path

import click

from models_src.cli.console import Report, live_progress

_AGREEMENT = 0.85  # IoU of the teachers' masks from which on a picture without a mask is used


@click.command()
@click.option("--scenario", required=True, type=click.Choice(["selfie", "videocall", "group"]), help="What is taken.")
@click.option("--people", required=True, metavar="PATH", help="Pictures with masks to cut people out of; any format.")
@click.option("--teacher", "teachers", multiple=True, metavar="MODEL[,CONTRACT]",
              help="The people have no masks: use those of these networks where they agree. Repeatable.")  # fmt: skip
@click.option("--backgrounds", multiple=True, metavar="DIR", help="Pictures without people. Rooms are drawn besides.")
@click.option("--count", required=True, type=click.IntRange(1), help="Pictures to make.")
@click.option("--out", required=True, metavar="DIR", help="Pair folder to write; goes on where it was stopped.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--side", default=320, show_default=True, type=click.IntRange(64, 4096), help="Longer side in pixels.")
@click.option("--part", type=click.Choice(["train", "val"]), help="Only people of this part: none is ever in both.")
@click.option("--val", "share", default=0.1, show_default=True, type=click.FloatRange(0, 1), help="Share of val.")
@click.option("--processes", type=click.IntRange(1), help="[default: all processors]")
def synth(
    scenario: str,
    people: str,
    teachers: tuple[str, ...],
    backgrounds: tuple[str, ...],
    count: int,
    out: str,
    seed: int,
    side: int,
    part: str | None,
    share: float,
    processes: int | None,
) -> None:
    """Make scenes of people cut out of other pictures, with exact masks: scenes.jsonl says what is in each.

    Parts are drawn by a hash of the names, or of the groups of a manifest, so that sets made at different times agree
    on who is in which.
    """
    from models_src.datasets import manifest
    from models_src.datasets.split import of_part
    from models_src.synth import dataset

    with live_progress() as report:
        if teachers:
            people = _labelled(people, teachers, Path(f"{out.rstrip('/')}.people"), report)
        samples = manifest.load(people).samples
        if part:
            samples = of_part(samples, part, share)  # type: ignore[arg-type]
        photographs = [image for folder in backgrounds for image in manifest.images(folder)]
        options = dataset.Options(scenario, count, seed, side)

        def told(done: int, total: int) -> None:
            if report:
                report("synth", "scenes", done, total)

        dataset.write(Path(out), options, [s for s in samples if s.mask], photographs, told, processes)
    click.echo(out)


def _labelled(people: str, teachers: tuple[str, ...], folder: Path, report: Report) -> str:
    """A manifest of the people with masks of the teachers, where these agree."""
    import yaml

    from harness import files
    from models_src import teachers as teaching
    from models_src.datasets import manifest

    def told(done: int, total: int) -> None:
        if report:
            report("synth", "masks of the people", done, total)

    teaching.label(manifest.images(people), teachers, folder, told)
    where = {"table": teaching.TABLE, "name": "name", "column": "agreement", "least": _AGREEMENT}
    table = {"sources": [{"data": ".", "format": "pairs", "where": where}]}
    files.write_file(folder / "people.yaml", yaml.safe_dump(table).encode())
    return str(folder / "people.yaml")
