# SPDX-License-Identifier: Apache-2.0
"""The command ``rtpy``: options, and errors turned into one message and an exit status."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import click

from harness.errors import ExitCode, HarnessError


class _Command(click.Command):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except HarnessError as error:
            click.echo(f"rtpy: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:  # before anything runs
            ctx.exit(ExitCode.INTERRUPTED)


class _Colour(click.ParamType):
    name = "R,G,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = value.split(",")
        if len(parts) != 3 or not all(p.strip().isdecimal() and int(p) <= 255 for p in parts):
            self.fail(f"{value!r} is no colour; give red, green and blue from 0 to 255, such as 0,120,60", param, ctx)
        return tuple(map(int, parts))


_OUT_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=_Command, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--camera", type=click.IntRange(min=0), metavar="N", help="Camera of the system, from 0.")
@click.option("--video", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Video file.")  # fmt: skip
@click.option("--suite", metavar="NAME|DIR", help="Motion suite, played like a camera of its rate.")
@click.option("--model", type=click.Path(path_type=Path), metavar="PATH",
              help="Model folder, .keras or .h5 file.  [default: the shipped model]")  # fmt: skip
@click.option("--background", type=click.Choice(["none", "blur", "colour", "image"]), default="blur",
              show_default=True, help="What to draw behind the person.")  # fmt: skip
@click.option("--blur", type=click.IntRange(1, 200), default=25, show_default=True, metavar="N",
              help="Standard deviation of the blur in thousandths of the longer side.")  # fmt: skip
@click.option("--colour", type=_Colour(), default=(0, 120, 60), show_default="0,120,60", metavar="R,G,B",
              help="Colour of the background, red, green and blue.")  # fmt: skip
@click.option("--image", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="Picture of the background.")  # fmt: skip
@click.option("--mode", type=click.Choice(["synced", "low-latency"]), default="synced", show_default=True,
              help="Every picture with its own mask, or at once with the newest there is.")  # fmt: skip
@click.option("--no-smooth", is_flag=True, help="Do not steady the mask over time.")
@click.option("--threads", type=click.IntRange(0, 256), default=1, show_default=True,
              help="Threads of the network; 0: as TensorFlow likes.")  # fmt: skip
@click.option("--rotation", type=click.Choice(["0", "90", "180", "270"]), default="0", show_default=True,
              help="Turn the picture clockwise.")  # fmt: skip
@click.option("--mirror", is_flag=True, help="Then flip it left to right.")
@click.option("--fps", type=click.FloatRange(0, 1000), metavar="N",
              help="Play a file at this rate, or ask it of a camera; 0: as fast as a file can be drawn, dropping "
                   "nothing.  [default: the file's own]")  # fmt: skip
@click.option("--headless", is_flag=True, help="Open no window; a file is played once.")
@click.option("--frames", type=click.IntRange(min=1), metavar="N", help="End after N captured frames.")
@click.option("--record", type=_OUT_FILE, metavar="FILE", help="Write what is drawn as a video, .mp4 or .avi.")
@click.option("--snapshot", type=_OUT_FILE, metavar="FILE.png", help="Write the last picture.")
@click.option("--fps-report", "report", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              help="Write a run bundle for harness compare into this folder.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(as_json: bool, **options: Any) -> None:
    """Replace the background of a camera's pictures, with the raw Keras model.

    \b
    Keys: b blur, + - its strength · i image · c colour · n none · l latency mode · m mask · space pause ·
          s snapshot · h hide the text · q or Esc quit
    Exit status: 0 ended · 2 usage or bad input · 4 broke off (camera lost, damaged model) · 130 Ctrl-C
    """
    result = _run(options)
    facts = result.facts()
    if as_json:
        click.echo(json.dumps(facts, indent=1))
    else:
        click.echo(_in_words(facts))
    if result.interrupted:
        raise click.exceptions.Exit(ExitCode.INTERRUPTED)


def _run(options: dict[str, Any]) -> Any:
    """Open what the options name, quick things first, and run."""
    # What goes wrong is said once, by our errors. OpenCV and its Qt read these when they are imported.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
    from harness import resources
    from rt_apps.rtpy import application
    from rt_apps.rtpy.background import Background
    from rt_apps.rtpy.sources import Turned
    from rt_apps.rtpy.window import Window

    image = _read_image(options["image"])
    if options["background"] == "image" and image is None:
        raise click.UsageError("--background image needs a picture: --image FILE")
    background = Background(options["background"], options["blur"], options["colour"], image)
    with contextlib.ExitStack() as stack:
        source = _open_source(options)
        stack.callback(source.close)
        window = None if options["headless"] else Window()
        if window:
            stack.callback(window.close)
        from rt_apps.rtpy.segmenter import Segmenter

        segmenter = Segmenter(options["model"] or resources.default_model(), options["threads"])
        settings = application.Settings(
            background=background,
            mode=options["mode"].replace("-", "_"),
            smooth=not options["no_smooth"],
            threads=options["threads"],
            frames=options["frames"],
            paced=options["fps"] != 0,
            record=options["record"],
            snapshot=options["snapshot"],
            report=options["report"],
        )
        turned = Turned(source, int(options["rotation"]), options["mirror"])
        return application.run(turned, segmenter, settings, window)


def _open_source(options: dict[str, Any]) -> Any:
    from rt_apps.rtpy import sources

    kinds = {"camera": sources.Camera, "video": sources.Video, "suite": sources.MotionSuite}
    given = [name for name in kinds if options[name] is not None]
    if len(given) != 1:
        raise click.UsageError("name one source: --camera N, --video FILE or --suite MOTION_SUITE")
    return kinds[given[0]](options[given[0]], options["fps"] or None)


def _read_image(path: Path | None) -> Any:
    if path is None:
        return None
    from harness import pictures

    pixels = pictures.decode(path.read_bytes(), grey=False)
    if pixels is None:
        raise HarnessError(f"{path}: not a picture that can be read")
    return pixels[..., ::-1].copy()


def _in_words(facts: dict[str, Any]) -> str:
    rates = ", ".join(
        f"{name} {facts[name]} ({facts[f'{name}_fps']} fps)" for name in ("captured", "inferred", "presented")
    )
    text = f"{facts['source']}, {facts['mode']}: {rates}, dropped {facts['dropped']}, hidden {facts['hidden']}"
    return text + (f"\nBundle: {facts['bundle']}" if facts["bundle"] else "")
