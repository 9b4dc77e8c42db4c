"""What is planned, against the table of experiments in the paper's claims."""

from itertools import pairwise

import pytest

from miiii import PRESETS, get_preset
from miiii.claims.rules import further_work as beyond_rules
from miiii.claims.rules import paper as rules
from miiii.claims.rules.further_work import QUESTIONS
from miiii.config.config import differences
from miiii.config.further_work import left_out
from miiii.experiment.members import identity
from miiii.studies.plan import EXPERIMENTS, NEEDS, SCALES, plan
from wording import naming

WHOLE = plan("small")


def changed(key, reference="miiii"):
    """What an experiment has otherwise than T_miiii: {field: value}."""
    pairs = differences(WHOLE.configs[reference], WHOLE.configs[key])
    return {name: value for name, (_, value) in pairs.items()}


def test_every_experiment_of_the_claims_is_planned():
    assert tuple(EXPERIMENTS) == (*rules.EXPERIMENTS, *beyond_rules.EXPERIMENTS)
    assert tuple(WHOLE.configs) == rules.EXPERIMENTS
    assert set(NEEDS) == {f"C{number}" for number in range(1, 20)} | set(QUESTIONS)
    assert {key for keys in NEEDS.values() for key in keys} <= set(EXPERIMENTS)


def test_t_miiii_is_the_preset_at_the_papers_strength():
    assert differences(get_preset("mini"), WHOLE.configs["miiii"]) == {}
    assert WHOLE.configs["miiii"].optim.filter_strength == 0.5


def test_each_experiment_changes_what_it_is_named_after_and_no_more():
    rate, half = WHOLE.base.optim.learning_rate, WHOLE.base.training.epochs // 2
    assert changed("basis") == {"task": "basis", "epochs": half}
    assert changed("no-dropout") == {"dropout": 0.0}
    assert changed("lambda-0") == {"filter_strength": 0.0}
    assert changed("lambda-2") == {"filter_strength": 2.0}
    assert changed("matched-half") == {
        "filter_strength": 0.0,
        "learning_rate": pytest.approx(1.5 * rate),
    }
    assert changed("matched-2") == {
        "filter_strength": 0.0,
        "learning_rate": pytest.approx(3 * rate),
    }
    assert changed("masked") == {"masked_tasks": (2, 3, 5, 7)}
    nanda = get_preset("nanda")
    assert changed("nanda") == {
        "task": "nanda",
        "dropout": nanda.training.dropout,
        "epochs": half,
    }
    assert WHOLE.configs["nanda"].optim.weight_decay == nanda.optim.weight_decay


@pytest.mark.parametrize("scale", SCALES)
def test_what_claims_compare_trains_for_as_long_and_at_one_width_and_base(scale):
    preset = next(name for name in SCALES[scale] if name in PRESETS)
    configs = plan(scale, preset).configs
    whole = get_preset(preset).training.epochs
    for key in (
        "miiii",
        "no-dropout",
        "lambda-0",
        "lambda-2",
        "matched-half",
        "matched-2",
        "masked",
    ):
        assert configs[key].training.epochs == whole
    assert len({configs[key].model.width for key in configs if key != "waves"}) == 1
    assert len({config.task.base for config in configs.values()}) == 1
    for key, config in configs.items():
        shortened = config.training.epochs < whole and key != "waves"
        assert shortened == (EXPERIMENTS[key].share < 1)
        assert bool(EXPERIMENTS[key].share_reason) == (EXPERIMENTS[key].share < 1)


def test_nanda_gets_a_learning_rate_at_which_it_can_generalise():
    assert plan("paper", "paper").configs["nanda"].optim.learning_rate == 1e-3
    assert plan("small", "mini").configs["nanda"].optim.learning_rate == 2e-2


def test_reference32_plans_the_runs_whose_identity_is_known():
    wanted = plan("paper", "reference32", only=["miiii", "lambda-0"]).runs
    identities = {run.name: identity(run.config) for run in wanted if run.config.seed == 0}
    # As their first process wrote them: `miiii train --preset reference --precision float32
    # --validate-every 8`, and the same with `--filter-strength 0`.
    assert identities == {
        "miiii-seed0": "1a57c7ac61195449",
        "lambda-0-seed0": "4d8a645448186260",
    }
    assert {run.config.training.epochs for run in wanted} == {65536}


def test_medium_is_adamw_with_the_papers_filter_and_loss():
    for config in plan("medium").configs.values():
        assert config.task.base == 59
        assert config.optim.optimiser == "adamw"
        assert config.training.label_smoothing == config.training.large_task_power == 0
        assert config.training.normaliser == "softmax"


def test_seeds_are_as_many_as_a_claim_needs_and_one_where_none_does():
    needed = {key for claim in rules.CLAIMS.values() for key in claim.experiments}
    for key, seeds in WHOLE.seeds.items():
        assert seeds == (tuple(range(rules.LEAST_SEEDS)) if key in needed else (0,))
    assert plan("small", seeds=3, only=["waves", "miiii"]).seeds == {
        "miiii": (0, 1, 2),
        "waves": (0,),
    }


def test_runs_are_named_after_experiment_and_seed():
    runs = plan("small", seeds=2, only=["lambda-0", "basis"]).runs
    assert [run.name for run in runs] == [
        "basis-seed0",
        "basis-seed1",
        "lambda-0-seed0",
        "lambda-0-seed1",
    ]
    assert [run.config.seed for run in runs] == [0, 1, 0, 1]
    assert [run.experiment for run in runs] == ["basis", "basis", "lambda-0", "lambda-0"]


@pytest.mark.parametrize("claim", NEEDS)
def test_a_claim_plans_what_its_rule_names(claim):
    named = {**rules.CLAIMS, **QUESTIONS}[claim].experiments
    assert set(plan("small", only=[claim.lower()]).configs) == set(named)


def test_claims_and_experiments_may_be_mixed():
    assert set(plan("small", only=["C16", "waves", "C7"]).configs) == {
        "miiii",
        "masked",
        "basis",
        "waves",
    }


FURTHER = plan("small", beyond=True)
MODULI = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def test_the_further_work_is_planned_only_where_it_is_asked_for():
    assert not set(WHOLE.configs) & set(beyond_rules.EXPERIMENTS)
    assert FURTHER.configs == {**WHOLE.configs, **plan("small", only=list(QUESTIONS)).configs}
    assert tuple(FURTHER.configs) == (*rules.EXPERIMENTS, *beyond_rules.EXPERIMENTS)
    assert {FURTHER.seeds[key] for key in beyond_rules.EXPERIMENTS} == {(0, 1)}
    some = plan("small", only=["waves"], beyond=True)
    assert set(some.configs) == {"waves"} | {k for q in QUESTIONS for k in NEEDS[q]}


def test_each_experiment_of_the_further_work_changes_what_it_says():
    def change(key):
        pairs = differences(FURTHER.base, FURTHER.configs[key])
        return {name: value for name, (_, value) in pairs.items()}

    chosen = {"filter_tasks": (2, 3, 5, 7), "filter_strength": 2.0}
    bare = {"dropout": 0.0, "weight_decay": 0.0}
    expected = {
        "divisibility": {"target": "divisibility"},
        "slow-on-tasks": {"filter": "ema_on_tasks", **chosen},
        "slow-on-random": {"filter": "ema_on_random", **chosen},
        "stablemax": {"normaliser": "stablemax"},
        "orthogonal": {"orthogonal_gradient": True},
        "unregularised": bare,
        "unregularised-stablemax": {**bare, "normaliser": "stablemax"},
        "unregularised-orthogonal": {**bare, "orthogonal_gradient": True},
        "tenfold": {"epochs": 10 * WHOLE.base.training.epochs},
        "without-smallest-2": {"masked_tasks": (2, 3)},
        "without-smallest-8": {"masked_tasks": MODULI[:8]},
        "without-largest-2": {"masked_tasks": (31, 37)},
        "without-largest-4": {"masked_tasks": (23, 29, 31, 37)},
        "without-largest-8": {"masked_tasks": MODULI[4:]},
    }
    drawn = {key for key in beyond_rules.EXPERIMENTS if key.startswith("without-random")}
    assert set(expected) | drawn == set(beyond_rules.EXPERIMENTS)
    assert {key: change(key) for key in expected} == expected
    for key in drawn:
        ((name, moduli),) = change(key).items()
        assert (name, len(moduli)) == ("masked_tasks", int(key.rsplit("-")[-1]))


def test_more_tasks_left_out_at_random_are_the_same_and_others():
    sets = [set(left_out(MODULI, "random", count)) for count in range(1, 12)]
    assert all(len(one) == count for count, one in enumerate(sets, 1))
    assert all(one < more for one, more in pairwise(sets))
    assert left_out(MODULI, "random", 8) not in (MODULI[:8], MODULI[4:])


def test_every_experiment_of_the_further_work_is_a_preset():
    for key in beyond_rules.EXPERIMENTS:
        assert differences(get_preset(f"mini-{key}"), FURTHER.configs[key]) == {}


def test_too_few_tasks_to_leave_out_are_passed_over():
    assert "without-largest-4" not in plan("small", "tiny", beyond=True).configs
    with pytest.raises(ValueError, match=naming("'without-smallest-8' base 11")):
        plan("small", "tiny", only=["without-smallest-8"])


def test_a_base_with_four_tasks_has_none_to_mask():
    assert "masked" not in plan("small", "tiny").configs
    with pytest.raises(ValueError, match=naming("'masked' base 11 2,3,5,7")):
        plan("small", "tiny", only=["C16"])


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"scale": "smal"}, ["scale 'smal'", "did you mean 'small'"]),
        ({"scale": "small", "preset": "minni"}, ["'minni'", "did you mean 'mini'"]),
        ({"scale": "paper", "preset": "mini"}, ["'mini'", "fast3000, paper, reference"]),
        ({"scale": "small", "seeds": 0}, ["seeds is 0", "at least 1"]),
        ({"scale": "small", "only": ["C20"]}, ["'C20'", "did you mean 'C2'"]),
        ({"scale": "small", "only": ["mask"]}, ["'mask'", "did you mean 'masked'"]),
    ],
)
def test_what_cannot_be_planned_is_refused_by_name(arguments, parts):
    with pytest.raises(ValueError) as refusal:
        plan(**arguments)
    for part in parts:
        assert part in str(refusal.value)


def test_a_preset_that_this_version_lacks_is_refused_with_those_it_has(monkeypatch):
    monkeypatch.setitem(SCALES, "paper", ("quick", "paper", "reference"))
    with pytest.raises(ValueError, match=naming("'quick' --preset paper reference")):
        plan("paper")
