"""Named configurations, each with its purpose."""

from dataclasses import dataclass

from miiii.config.config import Config, replace_fields
from miiii.config.further_work import VARIATIONS
from miiii.refusals import unknown_name


@dataclass(frozen=True)
class Preset:
    """A configuration, and its purpose in one line."""

    config: Config
    purpose: str


_PAPER = Config()

_REFERENCE = replace_fields(
    _PAPER,
    train_fraction=0.5,
    initialisation="reference",
    filter_start="zeros",
    dropout_mask="per_step",
    task_reduction="mean",
    precision="float64",
)

# The reference initialisation groks p = 59 several times sooner than He's: its small unembedding
# leaves a training loss to learn from. At a learning rate of 3e-3 one task in sixteen (17, on some
# seeds) is thousands of epochs late; at 8e-3 nothing is learnt at first. The learning rate falls
# only once the tasks are nearly solved: an earlier fall stops the slow ones.
_SMALL = replace_fields(
    _REFERENCE,
    base=59,
    train_fraction=0.8,
    width=128,
    dropout_mask="per_sample",
    precision="float32",
    learning_rate=5e-3,
    epochs=3584,
    decay_start=2200,
    decay_epochs=1300,
)

# Muon solves p = 41 in 500 epochs; AdamW at its best learning rate (3e-3) has a mean validation
# accuracy of 0.78 after 3,000. At this rate the weights are noisy: their average is 100 epochs
# ahead, and the weights reach it when the rate falls (docs/averaging.md). With T_miiii's weight
# decay of a third, one task of twelve is learnt late on some seeds.
_MINI = replace_fields(
    _SMALL,
    base=41,
    optimiser="muon",
    learning_rate=2e-2,
    weight_decay=1.0,
    average_weights=0.98,
    epochs=800,
    decay_start=400,
    decay_epochs=300,
)

# Width 16 suffices: on seeds 0 to 4 the mean squared error over all p² numbers ends between 1e-5
# and 1.1e-4. A picture can then show every weight, which is the purpose of Appendix D. A weight
# decay of 1 brings unneeded weights to zero (3 costs accuracy: 3e-3), and dropout would leave noise
# in a real output. The learning rate falls so that the last epoch is no worse than those before it.
_WAVES = replace_fields(
    _PAPER,
    task="waves",
    width=16,
    filter="none",
    dropout=0.0,
    learning_rate=5e-3,
    weight_decay=1.0,
    epochs=2000,
    decay_start=1000,
    decay_epochs=1000,
)

# Found by trying, see docs/p113.md. Muon does in 1,000 epochs what AdamW at 3e-3 takes 9,000 for.
# Smoothed labels make a task find more frequencies, and sooner; they fade, because it is the plain
# loss that favours the tasks which are behind. Weights by size, once the small tasks are learnt,
# bring on the large ones, which generalise last; at a power of 3 tasks of 17 to 37 are forgotten.
# The learning rate falls from epoch 1,100 on, and is low before smoothing has gone: otherwise the
# noise of the logits rises again.
_FAST3000 = replace_fields(
    _SMALL,
    base=113,
    width=256,
    train_fraction=0.5,
    optimiser="muon",
    learning_rate=8e-3,
    warmup_epochs=50,
    label_smoothing=0.1,
    label_smoothing_epochs=2200,
    large_task_power=1.5,
    large_task_epoch=800,
    epochs=3000,
    decay_start=1100,
    decay_epochs=1900,
    decay_floor=0.01,
)

# It takes a third of FAST3000's epochs (docs/p113.md). The rate is more than twice as high, and
# falls late. Large tasks weigh more, and earlier: with a power of 1.5 from epoch 600 on the largest
# is learnt last. Labels are smoothed twice as much, and to the end: where smoothing ended before,
# the logits were noisier; with 0.1, one task was short on most seeds. An average of the weights is
# ahead by at most 112 epochs (docs/averaging.md), and ends alike, so that there is none.
_FAST = replace_fields(
    _FAST3000,
    learning_rate=18e-3,
    label_smoothing=0.2,
    label_smoothing_epochs=1050,
    large_task_power=2.0,
    large_task_epoch=450,
    epochs=1050,
    decay_start=650,
    decay_epochs=300,
    decay_floor=0.1,
    validate_every=2,
)

# The claims at p = 113 need many runs and the paper's loss more than the last per cent of accuracy.
_BRIEF = replace_fields(
    _FAST3000,
    label_smoothing=0.0,
    label_smoothing_epochs=0,
    large_task_power=0.0,
    large_task_epoch=1,
    epochs=2000,
    decay_epochs=900,
    decay_floor=_SMALL.optim.decay_floor,
)


PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        replace_fields(
            _SMALL,
            base=11,
            width=32,
            epochs=400,
            learning_rate=3e-3,
            decay_start=0,
            decay_epochs=0,
            snapshots=16,
        ),
        "four tasks at p = 11, for tests: seconds, and too few numbers to grok",
    ),
    "mini": Preset(_MINI, "12 tasks at p = 41, grokked in half a minute: the study's small scale"),
    "small": Preset(_SMALL, "16 tasks at p = 59, grokked in minutes on two CPU cores"),
    "fast": Preset(
        _FAST,
        "T_miiii at p = 113, half of the numbers, with Muon and smoothed labels: all 29 tasks at "
        "0.99 in 1,050 epochs",
    ),
    "fast3000": Preset(
        _FAST3000,
        "fast in 3,000 epochs, at a lower rate, with labels smoothed less: all 29 tasks at 0.99",
    ),
    "brief": Preset(
        _BRIEF,
        "fast3000 in 2,000 epochs, plain loss, for studies of many runs: all 29 tasks hold 0.9",
    ),
    "paper": Preset(
        _PAPER, "T_miiii at p = 113 as the paper's text has it: 29 tasks, 30 % of the numbers"
    ),
    "reference": Preset(
        _REFERENCE, "T_miiii at p = 113 as the paper's published figures appear to have been made"
    ),
    "reference32": Preset(
        replace_fields(_REFERENCE, precision="float32", validate_every=8),
        "reference in float32 instead of float64, validated every 8 epochs: eight hours on a core",
    ),
    "nanda": Preset(
        replace_fields(
            _PAPER,
            task="nanda",
            width=128,
            learning_rate=1e-3,
            weight_decay=1.0,
            dropout=0.0,
            epochs=16384,
        ),
        "addition mod 113 (Nanda et al. 2023): one task, width 128, no dropout",
    ),
    "waves": Preset(
        _WAVES,
        "cos(a) + sin(b) at p = 113 (Appendix D), small enough to see every weight: a minute",
    ),
    **{
        f"mini-{key}": Preset(config, f"mini: {variation.label}")
        for key, variation in VARIATIONS.items()
        if (config := variation.settings(_MINI)) is not None
    },
}


def get_preset(name: str) -> Config:
    """The configuration of a preset.

    Raises:
        ValueError: no preset has this name; the message gives the nearest.
    """
    if name not in PRESETS:
        raise ValueError(unknown_name("preset", name, list(PRESETS)))
    return PRESETS[name].config
