"""Motion: frames that follow each other, as CSS rules, GIF or MP4.

In SVG every frame is there and hidden but for the still one; one CSS rule per frame shows
it in its turn. No script. Where CSS does not run, or the reader's system asks for reduced
motion, the still frame is what stays.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from miiii.esch import checks
from miiii.esch.scene import Timing

SECONDS_PER_FRAME = 0.25
GIF_COLOURS = 64


def timing(frames: int, duration: float | None, loop: bool | int, still: int) -> Timing:
    """Read how frames follow each other.

    Args:
        frames: how many there are.
        duration: seconds for one pass; by default a quarter of a second per frame.
        loop: True for no end, False for one pass, or how many passes.
        still: the frame shown where nothing moves; negative counts from the end.

    Raises:
        ValueError: on a duration not above 0, fewer than one pass, or no such frame.
    """
    if duration is None:
        duration = SECONDS_PER_FRAME * frames
    checks.positive("duration", duration, "seconds")
    if not isinstance(loop, bool):
        checks.whole("loop", loop, 1)
    if not hasattr(still, "__index__") or not -frames <= still < frames:
        raise ValueError(
            f"still: expected a frame of axis t within {-frames}..{frames - 1}, found {still!r}"
        )
    passes = None if loop is True else max(int(loop), 1)
    return Timing(duration=float(duration), loop=passes, still=int(still) % frames)


def frame_rules(name: str, frames: int, times: Timing) -> str:
    """CSS that shows each frame in its turn; the last one stays when all passes are done."""
    passes = "infinite" if times.loop is None else str(times.loop)
    rules: list[str] = []
    for index in range(frames):
        start, end = 100 * index / frames, 100 * (index + 1) / frames
        last = index == frames - 1
        steps = "" if index == 0 else "0%{visibility:hidden}"
        steps += f"{start:.6g}%{{visibility:visible}}"
        steps += "100%{visibility:visible}" if last else f"{end:.6g}%,100%{{visibility:hidden}}"
        rules.append(f"@keyframes {name}-{index}{{{steps}}}")
        course = f"{name}-{index} {times.duration:g}s step-end {passes} both"
        rules.append(f"#{name}-{index}{{animation:{course}}}")
    rules.append(f"@media (prefers-reduced-motion:reduce){{.{name}{{animation:none!important}}}}")
    return "".join(rules)


def gif(pictures: list[NDArray[np.uint8]], times: Timing) -> bytes:
    """Encode frames [row, column, 3] as GIF."""
    from PIL import Image

    images = [Image.fromarray(picture).quantize(GIF_COLOURS) for picture in pictures]
    each = 10 * max(round(100 * times.duration / len(images)), 2)  # GIF counts 1/100 s
    # Its loop count is of repeats after the first pass; without one it plays once.
    repeats = {} if times.loop == 1 else {"loop": 0 if times.loop is None else times.loop - 1}
    stream = io.BytesIO()
    images[0].save(
        stream,
        "GIF",
        save_all=True,
        append_images=images[1:],
        duration=each,
        disposal=1,
        **repeats,
    )
    return stream.getvalue()


def mp4(pictures: list[NDArray[np.uint8]], times: Timing, path: Path) -> None:
    """Encode frames [row, column, 3] as one pass of MP4, with the program ffmpeg.

    Raises:
        RuntimeError: if ffmpeg is not on the PATH, or fails; the line has its words.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise RuntimeError(
            "MP4 needs the program ffmpeg, which is not on the PATH; save as .svg or .gif instead"
        )
    height, width, _ = pictures[0].shape
    command = [program, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{width}x{height}", "-framerate", f"{len(pictures) / times.duration:.6f}"]
    # Most players want even sides and halved colour.
    command += ["-i", "-", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"]
    command += ["-movflags", "+faststart", "-f", "mp4", str(path)]
    frames = b"".join(picture.tobytes() for picture in pictures)
    done = subprocess.run(command, input=frames, capture_output=True, check=False)
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no words"]
        raise RuntimeError(f"ffmpeg could not write {path.name}: {words[0]}")
