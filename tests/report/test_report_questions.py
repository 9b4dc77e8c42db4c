"""Questions of the further work stand on the page under a heading of their own, with yes and no."""

import re

from jinja2 import Environment, PackageLoader, StrictUndefined

from claims.planted_runs import study
from claims.test_claims_beyond import long, unregularised
from miiii.claims.judge import judge
from miiii.report.page.cards import MARKS, claim_cards
from report.reading import Page
from wording import says


def rendered(ledger):
    environment = Environment(
        loader=PackageLoader("miiii.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template("report/claims.html.jinja").render(
        claims=claim_cards(ledger, {}),
        groups=[(title, [one.id for one in findings]) for title, findings in ledger.groups],
        standing=ledger.standing,
        counts=ledger.counts,
        marks=MARKS,
        least_seeds=2,
        viewed={"tenfold": "tenfold-seed0"},
    )


def test_questions_follow_the_claims():
    runs = study()
    for makers in (long(), unregularised("orthogonal", 10)):
        runs |= {key: [make(0), make(1)] for key, make in makers.items() if key != "miiii"}
    text = rendered(judge(runs))
    claims, heading, questions = text.partition('<h2 id="questions">')
    assert heading
    assert len(re.findall('<details class="claim', claims)) == 19
    assert says(claims, "19 claims")
    cards = re.findall(
        r'<details class="claim [\w-]+" id="(B\d)">\s*<summary>(.*?)</su', questions, re.S
    )
    assert [number for number, _ in cards] == ["B4", "B5", "B6", "B7"]
    said = {number: Page(summary).text.split("B")[0].strip("✓✗? ") for number, summary in cards}
    assert said["B5"] == "yes"
    assert said["B4"] == "undecided"
    assert "Yes if" in questions
    assert "No if" in questions
    assert "Reproduced if" not in questions
    assert "Reproduced if" in claims
    assert 'data-view="tenfold-seed0"' in questions


def test_a_study_without_them_says_nothing_of_them():
    assert "further work" not in rendered(judge(study()))
