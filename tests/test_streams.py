"""No two uses of NumPy's random numbers share a stream, and none goes round `miiii.streams`."""

import re
from pathlib import Path

import numpy as np
import pytest

import miiii
from miiii import get_preset
from miiii.analysis.permuting import sample_numbers
from miiii.streams import Stream, generator, sequence
from miiii.tasks.dataset import make_split
from wording import naming

SEEDS = (*range(40), 2**31 - 1, 2**32 - 1)


def words(seeded):
    return tuple(seeded.generate_state(8).tolist())


def test_no_stream_is_another():
    """Over uses, seeds and the trials of a sweep; and none is the generator of a bare seed."""
    found = {words(sequence(stream, seed)) for stream in Stream for seed in SEEDS}
    found |= {
        words(sequence(Stream.SEARCH_CHOICES, seed, trial)) for seed in SEEDS for trial in range(30)
    }
    assert len(found) == len(SEEDS) * (len(Stream) + 30)
    bare = {words(np.random.SeedSequence(seed)) for seed in SEEDS}
    assert bare & found == {words(sequence(Stream.SPLIT, seed)) for seed in SEEDS}


def test_streams_of_stored_runs_are_what_they_were():
    """Splits and shuffled labels: stream s of seed n is the generator of [n, s]."""
    for stream, seed in ((Stream.SPLIT, 5), (Stream.SHUFFLED_LABELS, 7)):
        expected = np.random.default_rng([seed, int(stream)]).permutation(100)
        assert (generator(stream, seed).permutation(100) == expected).all()


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_its_limits_is_refused(seed):
    with pytest.raises(ValueError, match=naming(f"seed {seed}")):
        generator(Stream.SPLIT, seed)


def test_every_generator_comes_from_here():
    source = Path(miiii.__file__).parent
    makers = re.compile(r"default_rng\(|SeedSequence\(|RandomState\(|np\.random\.seed\(")
    made = {
        path.relative_to(source).as_posix(): len(found)
        for path in source.rglob("*.py")
        if (found := makers.findall(path.read_text(encoding="utf-8")))
    }
    del made["streams.py"]
    # Their draws are stored in runs and sweeps.
    assert made == {"optim/chosen_frequencies.py": 1, "sweeps/search/sampling.py": 1}


@pytest.mark.parametrize("seed", [0, 1])
def test_a_sample_of_the_numbers_is_none_of_those_trained_on(seed):
    """With seed 0 it once was the training numbers, and nothing else."""
    config = get_preset("fast")
    assert config.task.base == 113
    trained = make_split(config.task, seed).train
    sample = sample_numbers(113, 2048)
    assert len(np.unique(sample)) == 2048
    share = len(trained) / 113**2
    # The count is hypergeometric; five of its standard deviations.
    spread = (2048 * share * (1 - share) * (113**2 - 2048) / (113**2 - 1)) ** 0.5
    assert abs(np.isin(sample, trained).sum() - 2048 * share) < 5 * spread
