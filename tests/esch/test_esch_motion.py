"""Motion: the key frames in the SVG, played back; GIF and MP4."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from svg_reading import SVG, marks, root, texts

from miiii.esch import draw
from miiii.esch.motion import frame_rules, timing
from wording import naming

ARRAY = np.arange(1, 13, dtype=float).reshape(2, 2, 3)


def read_rules(css):
    """Key frames by name: a sorted list of (percent, visible); and the rest of the rules."""
    rules = {}
    for name, body in re.findall(r"@keyframes ([\w-]+)\{((?:[^{}]+\{[^{}]*\})*)\}", css):
        stops = []
        for places, state in re.findall(r"([^{}]+)\{visibility:(\w+)\}", body):
            stops += [(float(place.rstrip("%")), state == "visible") for place in places.split(",")]
        rules[name] = sorted(stops)
    return rules


def visible(stops, percent):
    """The state that step-end holds at a point in time."""
    return [state for place, state in stops if place <= percent][-1]


@given(frames=st.integers(1, 40), moment=st.floats(0, 1, exclude_max=True))
def test_exactly_one_frame_is_seen_at_any_time(frames, moment):
    rules = read_rules(frame_rules("x", frames, timing(frames, 2.0, True, 0)))
    assert len(rules) == frames
    seen = [i for i in range(frames) if visible(rules[f"x-{i}"], 100 * moment)]
    assert len(seen) == 1
    assert abs(seen[0] - moment * frames) < 1 + 1e-3


def test_the_last_frame_stays_when_all_passes_are_done():
    rules = read_rules(frame_rules("x", 5, timing(5, 2.0, 3, 0)))
    assert [rules[f"x-{i}"][-1] for i in range(5)] == [(100.0, i == 4) for i in range(5)]


@pytest.mark.parametrize(("loop", "passes"), [(True, "infinite"), (False, "1"), (4, "4")])
def test_duration_and_loop_are_in_every_rule(loop, passes):
    svg = draw("h w t", ARRAY, duration=1.5, loop=loop).svg
    courses = re.findall(r"#([\w-]+)\{animation:([\w-]+) ([\d.]+)s step-end (\w+) both\}", svg)
    assert len(courses) == 3
    for name, keyframes, duration, count in courses:
        assert (keyframes, duration, count) == (name, "1.5", passes)


def test_each_frame_holds_its_own_marks_and_label():
    svg = draw("h w t", ARRAY, frame_labels=["one", "two", "three"], show_key=False).svg
    groups = [g for g in root(svg).iter(f"{SVG}g") if "data-frame" in g.attrib]
    assert [[t.text for t in g.iter(f"{SVG}text")] for g in groups] == [["one"], ["two"], ["three"]]
    for index, group in enumerate(groups):
        found = {mark.cell: (mark.side / mark.pitch) ** 2 for mark in marks(group)}
        expected = {c: 0.81 * v / 12 for c, v in np.ndenumerate(ARRAY[..., index])}
        assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("still", "frame"), [(-1, 2), (0, 0), (1, 1)])
def test_the_still_frame_is_what_stands_without_css_and_with_reduced_motion(still, frame):
    drawing = draw("h w t", ARRAY, still=still)
    groups = [g for g in root(drawing.svg).iter(f"{SVG}g") if "data-frame" in g.attrib]
    shown = [i for i, g in enumerate(groups) if g.attrib.get("visibility") != "hidden"]
    assert shown == [frame]
    name = groups[0].attrib["class"]
    rule = f"@media (prefers-reduced-motion:reduce){{.{name}{{animation:none!important}}}}"
    assert rule in drawing.svg
    assert "<script" not in drawing.svg


def test_a_single_frame_can_be_taken_out():
    drawing = draw("h w t", ARRAY, frame_labels=["one", "two", "three"])
    assert drawing.frames == 3
    assert "two" in texts(drawing.frame(1).svg)
    assert "one" not in texts(drawing.frame(1).svg)
    assert "@keyframes" not in drawing.frame(1).svg
    with pytest.raises(ValueError, match=naming("frame axis t -3..2 3")):
        drawing.frame(3)


def test_rules_of_two_drawings_on_one_page_do_not_meet():
    names = [
        set(re.findall(r"@keyframes ([\w-]+)", draw("h w t", ARRAY * sign).svg)) for sign in (1, -1)
    ]
    assert not names[0] & names[1]


def test_a_pattern_with_one_frame_is_still_a_drawing_in_time(tmp_path):
    drawing = draw("h w t", ARRAY[..., :1])
    assert len(read_rules(drawing.svg)) == 1
    assert drawing.save(tmp_path / "one.gif").stat().st_size > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": -1}, "duration seconds 0 -1"),
        ({"loop": 0}, "loop 1 0"),
        ({"still": 3}, "still frame axis t -3..2 3"),
        ({"frame_labels": ["a"]}, "frame_labels 3 axis t"),
    ],
)
def test_impossible_timings_are_refused(options, message):
    with pytest.raises(ValueError, match=naming(message)):
        draw("h w t", ARRAY, **options)


@pytest.mark.parametrize(("loop", "repeats"), [(True, 0), (3, 2), (False, None)])
def test_a_gif_has_every_frame_its_duration_and_its_loop(tmp_path, loop, repeats):
    path = draw("h w t", ARRAY, duration=1.5, loop=loop).save(tmp_path / "moving.gif", dpi=50)
    with Image.open(path) as image:
        assert image.n_frames == 3
        assert image.info["duration"] == 500
        assert image.info.get("loop") == repeats
        seen = []
        for frame in range(3):
            image.seek(frame)
            seen.append(np.asarray(image.convert("L")).mean())
    assert seen[0] > seen[1] > seen[2]  # values grow, so ink does


def test_a_missing_ffmpeg_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=naming("MP4 ffmpeg")):
        draw("h w t", ARRAY).save(tmp_path / "moving.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_ffmpeg_is_quoted_and_leaves_nothing(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "ffmpeg"
    program.write_text("#!/bin/sh\nprintf partial > /dev/null\necho no such codec >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(RuntimeError, match=naming("ffmpeg codec")):
        draw("h w t", ARRAY).save(tmp_path / "moving.mp4")
    assert list(tmp_path.iterdir()) == [programs]


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="NO FFMPEG ON THE PATH: MP4 UNTESTED")
def test_an_mp4_has_every_frame(tmp_path):
    path = draw("h w t", ARRAY, duration=1.5).save(tmp_path / "moving.mp4", dpi=50)
    command = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0"]
    command += ["-show_entries", "stream=nb_read_frames,duration", "-of", "csv=p=0", str(path)]
    duration, frames = subprocess.check_output(command, text=True).strip().split(",")
    assert int(frames) == 3
    assert float(duration) == pytest.approx(1.5, abs=0.01)
    assert path.read_bytes()[4:8] == b"ftyp"
