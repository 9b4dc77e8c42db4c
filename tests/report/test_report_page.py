"""The report, as text and in a real browser: read, moved by keys and clicks, measured."""

import base64
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from claims.planted_runs import basis, miiii, no_dropout
from miiii.claims.judge import judge
from miiii.claims.ledger import value_text
from miiii.report.page import page
from miiii.report.page.page import write_report
from miiii.report.pictures.catalogue import CIRCUITS, choose
from report.devtools import BROWSER, Browser
from report.reading import Page, decoded
from wording import says

FIGURES = ["4", "7", "16", "20", "T2"]
"""Enough of every kind: the others are drawn in the tests of their own."""

in_a_browser = pytest.mark.skipif(
    BROWSER is None, reason="NO CHROMIUM HERE: THE REPORT WAS NOT SEEN IN A BROWSER"
)


@pytest.fixture(scope="module")
def ledger(study):
    """Judged on numbers made by hand for runs of these names, with every verdict among them."""
    planted = {"miiii": miiii, "basis": basis, "no-dropout": no_dropout}
    measured = {key: [make(seed) for seed in (0, 1)] for key, make in planted.items()}
    found = judge(measured, study.name)
    names = {run for finding in found.findings for run in finding.runs}
    assert names == {run.name for run in study.plan.runs}
    verdicts = ["reproduced", "reproduced", "not reproduced", "undecided"]
    return replace(
        found,
        findings=tuple(
            replace(finding, verdict=verdicts[place % 4])
            for place, finding in enumerate(found.findings)
        ),
    )


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def path(study, ledger, tmp_path_factory, told):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "ENTRIES", (*choose(FIGURES), *choose(["N9", "N10"], CIRCUITS)))
        target = tmp_path_factory.mktemp("report") / "new" / "report.html"
        assert write_report(study, ledger, target, progress=told.append) == target
    return target


@pytest.fixture(scope="module")
def text(path):
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def read(text):
    return Page(text)


@pytest.fixture(scope="module")
def moments(text):
    (data,) = re.findall(r'<script type="application/json" id="moments">(.*?)</script>', text, re.S)
    return json.loads(data)


def test_it_asks_nothing_of_any_host(text, read):
    assert not re.findall(r"https?://|url\(|@import|//[a-z]+\.", text)
    for attribute in ("src", "href"):
        for tag, attributes in read.tags:
            if attribute in attributes:
                assert attributes[attribute].startswith(("#", "data:")), tag
    assert not read.all("link")


def test_links_lead_somewhere(read):
    assert len(read.identities) == len(set(read.identities))
    links = [link[1:] for link in read.all("a", "href") if link.startswith("#")]
    assert len(links) > 60
    assert set(links) <= set(read.identities)
    described = [value for one in ("aria-labelledby", "for") for value in values(read, one)]
    assert set(described) <= set(read.identities)


def values(read, attribute):
    return [attributes[attribute] for _, attributes in read.tags if attribute in attributes]


def test_every_claim_is_there_with_its_rule_and_numbers(read, ledger):
    words = read.text
    assert len(ledger.findings) == 19
    for finding in ledger.findings:
        claim = finding.claim
        for said in (
            *(claim.claim, claim.where, claim.statistic),
            *(claim.reproduced, claim.not_reproduced, claim.undecided, finding.reason),
        ):
            assert " ".join(said.split()) in words
        for item in finding.quantities:
            assert item.name in words
            assert value_text(item) in words
            assert item.paper in words
        for run in finding.runs:
            assert f"run-{run}" in read.identities


def test_verdicts_are_in_words_and_counted(text, read, ledger):
    cards = re.findall(
        r'<details class="claim ([\w-]+)" id="(C\d+)">\s*<summary>(.*?)</su', text, re.S
    )
    assert [number for _, number, _ in cards] == [finding.id for finding in ledger.findings]
    for (kind, _, summary), finding in zip(cards, ledger.findings, strict=True):
        assert kind == finding.verdict.replace(" ", "-")
        assert Page(summary).text.split("C")[0].strip("✓✗? ") == finding.verdict
    for verdict, count in ledger.counts.items():
        assert count
        assert f"{verdict} {count}" in read.text


def test_claims_lead_to_their_figures(text, ledger):
    for finding in ledger.findings:
        (body,) = re.findall(rf'id="{finding.id}">(.*?)</details>', text, re.S)
        links = Page(body).all("a", "href")
        for figure in finding.claim.figures:
            if str(figure) == "7":  # of a part, so that it must not match figure 17's
                assert any(link.startswith("#figure-7-") for link in links)
            elif str(figure) in FIGURES:
                assert any(link.startswith(f"#figure-{figure}-") for link in links)


def test_what_cannot_be_drawn_is_named(read):
    assert "missing-20" in read.identities
    assert re.search(r"Figure 20: .*T_waves", read.text)
    assert "Figure N10" in read.text
    assert "Figure n" not in read.text
    assert "--waves" not in read.text


def test_settings_say_what_was_run(read, study):
    words = read.text
    for key, config in study.plan.configs.items():
        assert f"experiment-{key}" in read.identities
        assert f"{config.training.epochs}" in words
    assert "dropout 0 (not 0.1)" in words
    for runs in study.runs().values():
        for run in runs:
            assert f"run-{run.name}" in read.identities
            assert run.provenance["time"].replace("T", " ")[:16] in words
            if run.provenance["git"]:
                assert run.provenance["git"]["revision"][:10] in words
    versions = study.runs()["miiii"][0].provenance["versions"]
    for package in ("jax", "numpy", "python"):
        assert f"{package} {versions[package]}" in words
    assert "miiii reproduce" in words
    assert "6 runs of 3 experiments, 2 seeds each" in words


def test_progress_names_every_part(told):
    assert told[:3] == [
        f"through training: {key}-seed0" for key in ("miiii", "basis", "no-dropout")
    ]
    assert told[3:] == [
        *("figure 4", "figure 7", "figure 16", "figure 20", "table 2"),
        *("figure N9", "figure N10", "page"),
    ]


def test_moments_are_those_of_the_snapshots(study, moments):
    assert set(moments) == {"miiii-seed0", "basis-seed0", "no-dropout-seed0"}
    for runs in study.runs().values():
        run = moments[runs[0].name]
        assert run["epochs"] == list(runs[0].snapshots)
        assert run["places"] == sorted(run["places"])
        assert {len(said) for said in run["texts"].values()} == {len(run["epochs"])}
    assert moments["miiii-seed0"]["sheets"].keys() == moments["basis-seed0"]["sheets"].keys()
    assert moments["no-dropout-seed0"]["sheets"] == {}


def test_a_study_without_runs_has_a_page(study, ledger, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "ENTRIES", choose(["4", "T1"]))
        empty = SimpleNamespace(name="empty", plan=study.plan, runs=dict)
        found = replace(judge({}, "empty"), versions={})
        read = Page(write_report(empty, found, tmp_path / "report.html").read_text())
    assert says(read.text, "no runs yet.")
    assert "19 claims" in read.text
    links = [link[1:] for link in read.all("a", "href") if link.startswith("#")]
    assert set(links) <= set(read.identities)


# In the browser


@pytest.fixture(scope="module")
def browser(path, tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        found.open(path.as_uri())
        found.wait("document.getElementById('stage').dataset.epoch !== undefined")
        yield found


@pytest.fixture
def opened(browser, path):
    """The page as it is first seen."""
    browser.events.clear()
    browser.resize(1200, 900)
    browser.open(path.as_uri())
    browser.wait("document.getElementById('stage').dataset.epoch !== undefined")
    return browser


VIEW = "document.querySelector('.view:not([hidden])')"


def canvases(browser):
    """What each canvas shows: (kind, panel) to [h, w], 0 white to 1 black."""
    shown = browser.evaluate(
        f"[...{VIEW}.querySelectorAll('canvas')].map(c => "
        "[c.dataset.sheet, Number(c.dataset.panel), c.toDataURL()])"
    )
    return {(kind, panel): decoded(uri) for kind, panel, uri in shown}


def assert_shows(browser, run, index):
    """Every picture, text and marker is that of one snapshot."""
    epoch = run["epochs"][index]
    browser.wait(f"document.getElementById('stage').dataset.epoch === '{epoch}'")
    assert browser.evaluate("document.getElementById('epoch').textContent") == f"{epoch:,}"
    spoken = browser.evaluate("document.getElementById('moment').getAttribute('aria-valuetext')")
    assert spoken == f"epoch {epoch:,}"
    seen = canvases(browser)
    assert {kind for kind, _ in seen} == set(run["sheets"])
    for (kind, panel), picture in seen.items():
        sheet = decoded(run["sheets"][kind])
        height, width = picture.shape
        frame = sheet[index * height : (index + 1) * height, panel * width : (panel + 1) * width]
        np.testing.assert_array_equal(picture, frame)
    texts = browser.evaluate(
        f"[...{VIEW}.querySelectorAll('[data-text]')].map(e => [e.dataset.text, e.textContent])"
    )
    assert {name for name, _ in texts} == set(run["texts"])
    for name, said in texts:
        assert said == run["texts"][name][index]
    places = browser.evaluate(
        f"[...{VIEW}.querySelectorAll('.marker')].map(m => {{"
        "const box = m.parentElement.getBoundingClientRect();"
        "return (m.getBoundingClientRect().left + 1 - box.left) / box.width; })"
    )
    assert len(places) == 4
    assert places == pytest.approx([run["places"][index]] * 4, abs=0.01)


@in_a_browser
def test_it_loads_without_complaint_or_request(opened):
    assert opened.complaints() == []
    assert {address.split(":")[0] for address in opened.requests()} <= {"file", "data"}


@in_a_browser
def test_the_slider_moves_the_pictures_by_keys(opened, moments):
    run = moments["miiii-seed0"]
    last = len(run["epochs"]) - 1
    assert_shows(opened, run, last)
    opened.evaluate("document.getElementById('moment').focus()")
    for key, index in (("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        opened.press(key)
        assert_shows(opened, run, index)
    opened.press("End")
    assert_shows(opened, run, last)
    assert opened.complaints() == []


@in_a_browser
def test_the_pictures_differ_between_epochs(opened):
    last = canvases(opened)
    opened.evaluate("document.getElementById('moment').focus()")
    opened.press("Home")
    first = canvases(opened)
    changed = {kind for kind, panel in last if (last[kind, panel] != first[kind, panel]).any()}
    assert changed == {kind for kind, _ in last}


@in_a_browser
def test_the_space_bar_plays_and_stops(opened, moments):
    run = moments["miiii-seed0"]
    pressed = "document.getElementById('play').getAttribute('aria-pressed')"
    opened.evaluate("document.getElementById('moment').focus()")
    opened.press(" ")  # from the last to the first, and on
    assert opened.evaluate(pressed) == "true"
    opened.press(" ")
    assert opened.evaluate(pressed) == "false"
    opened.press(" ")
    opened.wait(f"{pressed} === 'false'")  # it stops by itself at the end
    assert_shows(opened, run, len(run["epochs"]) - 1)


@in_a_browser
def test_another_run_can_be_chosen(opened, moments):
    opened.evaluate("document.getElementById('moment').focus()")
    opened.press("Home")
    opened.press("ArrowRight")
    for name in ("basis-seed0", "no-dropout-seed0"):
        opened.evaluate(
            f"(() => {{ const s = document.getElementById('run'); s.value = '{name}';"
            "s.dispatchEvent(new Event('change')); })()"
        )
        opened.wait(f"!document.querySelector('[data-run=\"{name}\"]').hidden")
        assert_shows(opened, moments[name], 1)
    assert opened.complaints() == []


@in_a_browser
def test_a_click_on_a_chart_goes_to_the_nearest_snapshot(opened, moments):
    run = moments["miiii-seed0"]
    opened.evaluate("document.querySelector('.charts').scrollIntoView({block: 'center'})")
    box = opened.evaluate(
        "(b => [b.left, b.top, b.width, b.height])"
        "(document.querySelector('.area').getBoundingClientRect())"
    )
    place = run["places"][2] + 0.01
    where = {"x": box[0] + place * box[2], "y": box[1] + box[3] / 2, "button": "left"}
    for kind in ("mousePressed", "mouseReleased"):
        opened.call("Input.dispatchMouseEvent", type=kind, clickCount=1, **where)
    assert_shows(opened, run, 2)


@in_a_browser
def test_a_task_s_button_picks_out_its_lines(opened, study):
    opened.evaluate("document.querySelector('[data-pick=\"1\"]').click()")
    picked = "[...document.querySelectorAll('.picked')].map(line => line.dataset.task)"
    assert opened.evaluate(picked) == ["1"] * 4
    opened.evaluate("document.querySelector('[data-pick=\"1\"]').click()")
    assert opened.evaluate(picked) == []


@in_a_browser
def test_the_filter_leaves_the_verdicts_that_were_asked_for(opened, ledger):
    shown = (
        "[...document.querySelectorAll('.claim')].filter(c => c.checkVisibility()).map(c => c.id)"
    )
    for verdict in ("reproduced", "not reproduced", "undecided", "all"):
        value = verdict.replace(" ", "-")
        opened.evaluate(f"document.querySelector('[name=verdict][value={value}]').click()")
        expected = [one.id for one in ledger.findings if verdict in ("all", one.verdict)]
        assert opened.evaluate(shown) == expected


@in_a_browser
def test_a_link_to_a_claim_opens_it(opened):
    opened.evaluate("document.querySelector('[name=verdict][value=undecided]').click()")
    opened.evaluate("document.querySelector('.files a[href=\"#C1\"]').click()")
    opened.wait("document.getElementById('C1').open")
    assert opened.evaluate("document.getElementById('C1').checkVisibility()")
    opened.wait("Math.abs(document.getElementById('C1').getBoundingClientRect().top) < 200")


@in_a_browser
def test_a_link_to_a_run_s_curves_shows_them(opened):
    link = "document.querySelector('[data-view=\"basis-seed0\"]')"
    opened.evaluate(f"{link}.click()")
    opened.wait("!document.querySelector('[data-run=\"basis-seed0\"]').hidden")
    opened.wait("location.hash === '#through-training'")


@in_a_browser
def test_figures_can_be_kept_as_files(opened, tmp_path):
    links = opened.evaluate(
        "[...document.querySelectorAll('a[download]')].map(a => [a.download, a.href, a.hidden])"
    )
    endings = {name.rsplit(".")[-1] for name, _, _ in links}
    assert {"svg", "csv"} <= endings
    for name, address, hidden in links:
        assert not hidden
        content = base64.b64decode(address.split(",", 1)[1]).decode()
        if name.endswith(".svg"):
            assert "<svg" in content
            assert content.rstrip().endswith("</svg>")
    opened.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    name, address, _ = next(link for link in links if link[0].startswith("figure-4"))
    opened.evaluate(f"document.querySelector('a[download=\"{name}\"]').click()")
    kept = tmp_path / name
    for _ in range(200):
        if kept.exists() and kept.stat().st_size:
            break
        opened.evaluate("new Promise(done => setTimeout(done, 50))")
    assert kept.read_bytes() == base64.b64decode(address.split(",", 1)[1])


@in_a_browser
@pytest.mark.parametrize("width", [360, 768, 1200])
def test_the_page_never_scrolls_sideways(opened, width):
    opened.resize(width, 700)
    opened.evaluate("document.getElementById('open-all').click()")
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    assert opened.evaluate("document.querySelectorAll('.claim[open]').length") == 19


@in_a_browser
def test_all_images_are_whole(opened):
    opened.wait("[...document.images].every(image => image.complete)")
    sizes = opened.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(sizes) >= 4
    assert min(sizes) > 50


@in_a_browser
def test_dark_and_light_are_what_the_reader_prefers(opened):
    asked = (
        ("document.body", "backgroundColor"),
        ("document.body", "color"),
        ("document.querySelector('.paper')", "backgroundColor"),
    )
    seen = {}
    for scheme in ("dark", "light"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        opened.call("Emulation.setEmulatedMedia", features=[feature])
        colours = [opened.evaluate(f"getComputedStyle({one}).{what}") for one, what in asked]
        seen[scheme] = [sum(map(int, re.findall(r"\d+", one)[:3])) for one in colours]
    assert seen["dark"][0] < 100 < 600 < seen["dark"][1]
    assert seen["light"][1] < 100 < 600 < seen["light"][0]
    assert seen["dark"][2] == seen["light"][2] == 3 * 255  # figures are drawn on white


@in_a_browser
def test_everything_that_can_be_used_has_a_name(opened):
    opened.call("Accessibility.enable")
    nodes = opened.call("Accessibility.getFullAXTree")["nodes"]
    used = ("button", "slider", "combobox", "radio", "link", "image", "region")
    named = {role: [] for role in used}
    for node in nodes:
        role = node.get("role", {}).get("value")
        if role in named and not node["ignored"]:
            named[role].append(node.get("name", {}).get("value", ""))
    for role in ("button", "slider", "combobox", "radio", "link", "image"):
        assert named[role], role
        assert all(named[role]), role
