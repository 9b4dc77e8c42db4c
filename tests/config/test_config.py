"""One configuration: its TOML form, its presets, its refusals."""

import ast
import dataclasses
import doctest
import inspect
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import miiii.config.config
from miiii import PRESETS, Config, from_toml, get_preset, replace_fields, to_toml
from miiii.config.config import SECTIONS, differences, field_sections
from miiii.config.further_work import VARIATIONS
from miiii.model.config import ModelConfig
from miiii.optim.config import OptimConfig
from miiii.tasks.config import TaskConfig
from miiii.training.config import TrainingConfig
from wording import naming

PARTS = {
    "task": TaskConfig,
    "model": ModelConfig,
    "optim": OptimConfig,
    "training": TrainingConfig,
}

# A value other than the default for every field.
OTHER_VALUES = {
    "mlp_bias": True,
    "activation": "gelu",
    "answer_token": False,
    "attention_mask": "full",
    "attention_coefficient": 0.25,
    "digit_tokens": "separate",
    "optimiser": "muon",
    "task": "basis",
    "base": 59,
    "moduli": (2, 9, 200),
    "target": "divisibility",
    "operation": "multiply",
    "train_fraction": 0.625,
    "validation_size": 17,
    "masked_tasks": (2, 3),
    "data_seed": 12,
    "classes": (4, 9),
    "unanswered": 3,
    "split": "pairs",
    "labels": "00000000000000aa",
    "width": 24,
    "heads": 8,
    "depth": 2,
    "mlp_ratio": 3,
    "initialisation": "reference",
    "init_scale": 0.5,
    "learning_rate": 1e-5,
    "weight_decay": 1.0,
    "beta1": 0.0,
    "beta2": 0.999,
    "epsilon": 1e-30,
    "filter": "ma",
    "filter_strength": 0.1 + 0.2,
    "filter_decay": 0.5,
    "filter_start": "zeros",
    "filter_window": 7,
    "filter_tasks": (5, 3),
    "orthogonal_gradient": True,
    "warmup_epochs": 3,
    "decay_start": 5,
    "decay_epochs": 6,
    "decay_floor": 0.0,
    "restarts": 2,
    "restart_epochs": 7,
    "restart_height": 0.7,
    "epochs": 100,
    "dropout": 0.0,
    "dropout_mask": "per_step",
    "task_reduction": "mean",
    "task_scale": "none",
    "large_task_power": 1.5,
    "large_task_classes": 7,
    "large_task_epoch": 8,
    "normaliser": "stablemax",
    "label_smoothing": 0.1,
    "label_smoothing_epochs": 9,
    "stop_after": 500,
    "stop_when": 0.95,
    "precision": "float64",
    "matrix_products": "tensorfloat32",
    "minibatches": 4,
    "average_weights": 0.98,
    "origin": "0123456789abcdef",
    "validate_every": 10,
    "snapshots": 0,
    "checkpoint_seconds": 1.5,
}


def base_for(name):
    """A configuration in which the field may take its other value."""
    if name == "restarts":
        return replace_fields(Config(), decay_epochs=3)
    if name == "filter_tasks":
        return replace_fields(Config(), filter="ema_on_tasks", filter_tasks=(2,))
    if name in ("classes", "labels", "unanswered"):
        custom = {"moduli": (2, 3), "classes": (2, 3), "labels": "0123456789abcdef"}
        return Config(TaskConfig(task="custom", **custom))
    return Config(TaskConfig(task="nanda")) if name in ("operation", "split") else Config()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_toml(name):
    config = get_preset(name)
    text = to_toml(config)
    assert from_toml(text) == config
    # whole, so what it is read over does not matter
    assert from_toml(text, base=replace_fields(Config(), seed=3, base=7, width=4)) == config
    assert to_toml(from_toml(text)) == text
    assert PRESETS[name].purpose


def test_presets_are_those_of_the_tables():
    paper, reference = get_preset("paper"), get_preset("reference")
    assert paper.task.split_sizes == (3830, 1000, 7939)
    assert (paper.optim.learning_rate, paper.optim.weight_decay) == (3e-4, 1 / 3)
    assert (paper.optim.beta1, paper.optim.beta2) == (0.9, 0.98)
    assert (paper.optim.filter, paper.optim.filter_strength) == ("ema", 0.5)
    assert paper.training.epochs == reference.training.epochs == 65536
    assert paper.training.dropout == reference.training.dropout == 0.1
    assert differences(paper, reference) == {
        "train_fraction": (0.3, 0.5),
        "initialisation": ("he", "reference"),
        "filter_start": ("gradient", "zeros"),
        "dropout_mask": ("per_sample", "per_step"),
        "task_reduction": ("sum", "mean"),
        "precision": ("float32", "float64"),
    }
    assert set(PRESETS) == {
        *(
            "tiny",
            "mini",
            "small",
            "fast",
            "fast3000",
            "brief",
            "paper",
            "reference",
            "nanda",
            "waves",
        ),
        "reference32",
        *(f"mini-{key}" for key in VARIATIONS),
    }


def test_unknown_presets_are_refused():
    with pytest.raises(ValueError, match=naming("preset 'papr' 'paper'")):
        get_preset("papr")
    with pytest.raises(ValueError, match=naming("preset '' brief,fast,fast3000")):
        get_preset("")


def test_field_names_are_unique_over_all_sections():
    names = [item.name for part in PARTS.values() for item in dataclasses.fields(part)]
    assert Counter(names).most_common(1)[0][1] == 1
    assert "seed" not in names
    assert field_sections() == {
        item.name: section for section, part in PARTS.items() for item in dataclasses.fields(part)
    }
    assert tuple(PARTS) == SECTIONS
    assert set(OTHER_VALUES) == set(names)


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_one_field_through_replacing_toml_and_differences(name):
    base, value = base_for(name), OTHER_VALUES[name]
    changed = replace_fields(base, **{name: value})
    section = field_sections()[name]
    before = getattr(getattr(base, section), name)
    assert getattr(getattr(changed, section), name) == value != before
    assert differences(base, changed) == {name: (before, value)}
    assert from_toml(to_toml(changed)) == changed
    # on its own in its table, over a base
    line = next(line for line in _table(to_toml(changed), section) if line.startswith(f"{name} ="))
    assert from_toml(f"[{section}]\n{line}", base=base) == changed


def _table(text, section):
    """A table's lines, each value on one line."""
    body = text.split(f"[{section}]\n")[1].split("\n[")[0]
    return body.replace("[\n    ", "[").replace(",\n    ", ", ").replace(",\n]", "]").splitlines()


@given(
    learning_rate=st.floats(1e-300, 1e300),
    dropout=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 2**31 - 1),
    moduli=st.lists(st.integers(2, 10**6), unique=True, max_size=8),
)
def test_numbers_survive_toml_exactly(learning_rate, dropout, seed, moduli):
    config = replace_fields(
        Config(), learning_rate=learning_rate, dropout=dropout, seed=seed, moduli=tuple(moduli)
    )
    assert from_toml(to_toml(config)) == config


def test_a_part_is_laid_over_a_base():
    base = replace_fields(Config(), base=59, width=128, seed=4)
    found = from_toml("[model]\ndepth = 2\n[optim]\nlearning_rate = 1\n", base=base)
    assert found == replace_fields(base, depth=2, learning_rate=1.0)
    assert type(found.optim.learning_rate) is float
    assert from_toml("seed = 7", base=base) == replace_fields(base, seed=7)
    assert from_toml("", base=base) == base
    assert from_toml("") == Config()
    assert from_toml("[task]\nmoduli = []", base=replace_fields(base, moduli=(2, 3))) == base


REFUSED_FILES = [
    ("[modle]\nwidth = 8", "unknown table or field 'modle': did you mean 'model'?"),
    ("[zzzzzz]\n", "unknown table or field 'zzzzzz': known are: activation, "),
    ("[model]\nwidht = 8", "unknown field in [model] 'widht': did you mean 'width'?"),
    ("[model]\nlearning_rate = 1.0", "unknown field in [model] 'learning_rate': "),
    ("width = 8", "field 'width' stands outside its table: put it under [model]"),
    ("model = 3", "model is 3: it must be a table, [model]"),
    ("seeds = 3", "unknown table or field 'seeds': did you mean 'seed'?"),
    ("[model]\nwidth = 8.0", "width is 8.0: it must be a whole number"),
    ("[model]\nwidth = true", "width is True: it must be a whole number"),
    ("[model]\nwidth = '8'", "width is '8': it must be a whole number"),
    ("[optim]\nlearning_rate = 'fast'", "learning_rate is 'fast': it must be a number"),
    ("[optim]\nlearning_rate = false", "learning_rate is False: it must be a number"),
    ("[optim]\northogonal_gradient = 1", "orthogonal_gradient is 1: it must be true or false"),
    ("[optim]\northogonal_gradient = 'no'", "orthogonal_gradient is 'no': it must be true or"),
    ("[training]\nnormaliser = 'stable'", "normaliser is 'stable' (did you mean 'stablemax'?)"),
    ("[task]\ntask = 3", "task is 3: it must be text"),
    ("[task]\nmoduli = 3", "moduli is 3: it must be a list of whole numbers"),
    ("[task]\nmoduli = [2, 3.5]", "moduli is [2, 3.5]: it must be a list of whole numbers"),
    ("[task]\nmoduli = [2, true]", "moduli is [2, True]: it must be a list of whole numbers"),
    ("seed = '1'", "seed is '1': it must be a whole number"),
    ("seed = true", "seed is True: it must be a whole number"),
    ("seed = -1", "seed is -1: it must be from 0"),
    ("seed = 2147483648", "seed is 2147483648: it must be from 0"),
    ("[task]\nbase = 2", "base is 2: it must be at least 3"),
    ("[task]\ntask = 'miii'", "task is 'miii' (did you mean 'miiii'?)"),
    ("[model]\nheads = 3", "heads is 3: it must divide the width, 256"),
    ("[optim]\nweight_decay = nan", "weight_decay is nan: it must be at least 0 and finite"),
    ("[training]\nepochs = 0", "epochs is 0: it must be at least 1"),
    (
        "[training]\nepochs = 5\nvalidate_every = 6",
        "validate_every is 6: it must be at most epochs, 5",
    ),
    ("[training]\nminibatches = 0", "minibatches is 0: it must be at least 1"),
    (
        "[task]\nbase = 11\n[training]\nminibatches = 37",
        "minibatches is 37: it must be at most the number of training numbers, 36",
    ),
    (
        "[task]\ntask = 'waves'\n[training]\nlabel_smoothing = 0.1",
        "label_smoothing is 0.1: task waves has a real output",
    ),
    ("[model\nwidth = 8", "not valid TOML: "),
    ("[model]\nwidth = 8\nwidth = 9", "not valid TOML: "),
]


@pytest.mark.parametrize(("text", "message"), REFUSED_FILES, ids=[m for _, m in REFUSED_FILES])
def test_files_are_refused(text, message):
    with pytest.raises(ValueError) as refusal:
        from_toml(text)
    assert message in str(refusal.value)


def test_replacing_refuses_unknown_names_and_bad_values():
    with pytest.raises(ValueError, match=naming("field 'widht' 'width'")):
        replace_fields(Config(), widht=8)
    with pytest.raises(ValueError, match=naming("field 'task_' 'task'")):
        replace_fields(Config(), task_="miiii")
    with pytest.raises(ValueError, match=naming("heads 3 width 256")):
        replace_fields(Config(), heads=3)
    with pytest.raises(ValueError, match=naming("seed -4 0")):
        replace_fields(Config(), seed=-4)


def test_fields_of_one_section_are_replaced_together():
    # neither alone would be allowed
    found = replace_fields(Config(), width=9, heads=3)
    assert (found.model.width, found.model.heads) == (9, 3)
    assert replace_fields(found) == found
    assert Config().model.width == 256


def test_differences_name_every_field_that_differs():
    one = Config()
    other = replace_fields(one, seed=1, base=7, moduli=(2, 3), dropout=0.0)
    assert differences(one, one) == {}
    assert differences(one, other) == {
        "seed": (0, 1),
        "base": (113, 7),
        "moduli": ((), (2, 3)),
        "dropout": (0.1, 0.0),
    }


@pytest.mark.parametrize("part", PARTS.values(), ids=list(PARTS))
def test_every_field_is_described(part):
    """`--help` shows the text below a field."""
    (definition,) = [
        node
        for node in ast.parse(inspect.getsource(inspect.getmodule(part))).body
        if isinstance(node, ast.ClassDef) and node.name == part.__name__
    ]
    described = {
        field.target.id
        for field, text in zip(definition.body, definition.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }
    assert described == {item.name for item in dataclasses.fields(part)}


def test_examples_in_the_documentation():
    found = doctest.testmod(miiii.config.config)
    assert (found.failed, found.attempted > 0) == (0, True)
