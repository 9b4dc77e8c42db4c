"""A drawing: what `draw` returns, and the ways to see and to keep it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from miiii.esch import canvas, checks, files, motion, svg
from miiii.esch.about import About
from miiii.esch.scene import Scene

FORMATS = (".svg", ".pdf", ".png", ".gif", ".mp4")
DPI = 200.0


@dataclass(frozen=True)
class Drawing:
    """A finished drawing. In a notebook it shows itself.

    Attributes:
        scene: everything on the page, in points.
    """

    scene: Scene

    @property
    def width(self) -> float:
        """Width of the page, points."""
        return self.scene.width

    @property
    def height(self) -> float:
        """Height of the page, points."""
        return self.scene.height

    @property
    def frames(self) -> int:
        """Frames in time; 1 where nothing moves."""
        return max(len(self.scene.frames), 1)

    @cached_property
    def svg(self) -> str:
        """The drawing as an SVG document."""
        return svg.write(self.scene)

    def frame(self, index: int) -> Drawing:
        """The drawing as it stands at one frame, without motion.

        Raises:
            ValueError: if there is no such frame.
        """
        if not -self.frames <= index < self.frames:
            raise ValueError(
                f"frame: expected one of axis t within {-self.frames}..{self.frames - 1}, "
                f"found {index}"
            )
        return Drawing(self.scene.at(index))

    def save(
        self, path: str | os.PathLike[str], *, dpi: float = DPI, about: About | None = None
    ) -> Path:
        """Write the drawing; the path's ending says how. The file appears whole or not at all.

        SVG moves if the drawing does; PDF and PNG show its still frame; GIF and MP4 need a
        drawing that moves, and MP4 the program ffmpeg.

        Args:
            path: ends in .svg, .pdf, .png, .gif or .mp4.
            dpi: dots per inch of PNG, GIF and MP4.
            about: what SVG, PDF and PNG say of their making in their metadata.

        Returns:
            The path written.

        Raises:
            ValueError: on another ending, a dpi not above 0, or motion asked of a drawing
                without axis t.
            RuntimeError: if ffmpeg is missing or fails; the line has its words.
            FileNotFoundError: if the folder does not exist.
        """
        target = Path(path)
        kind = target.suffix.lower()
        checks.one_of("path", kind, FORMATS)
        checks.positive("dpi", dpi, "dots per inch")
        if kind == ".svg":
            files.write(target, svg.write(self.scene, about).encode())
        elif kind == ".pdf":
            files.write(target, canvas.pdf(self.scene, about))
        elif kind == ".png":
            files.write(target, canvas.png(self.scene, dpi, about))
        else:
            self._save_motion(target, kind, dpi)
        return target

    def _save_motion(self, target: Path, kind: str, dpi: float) -> None:
        times = self.scene.timing
        if times is None:
            raise ValueError(f"path: {kind} expects a drawing with axis t, found none")
        pictures = canvas.pictures(self.scene, dpi)
        if kind == ".gif":
            files.write(target, motion.gif(pictures, times))
            return
        with files.replacing(target) as temporary:
            motion.mp4(pictures, times, temporary)

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="max-width:100%;overflow-x:auto">{self.svg}</div>'
