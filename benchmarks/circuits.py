"""How long the instruments of `miiii circuits` take at p = 113, width 256: seconds and memory.

The weights are random: what is measured does the same work whatever they are.
"""

import resource
import time

import jax

from miiii.analysis.circuits.attribution import attribute
from miiii.analysis.circuits.causal import attributed_neurons, harmonic_removal, neuron_removal
from miiii.analysis.harmonics import dictionary as dictionary_room
from miiii.analysis.harmonics.interaction import beyond_digits
from miiii.analysis.recording import record
from miiii.config.presets import get_preset
from miiii.model.initialise import initialise
from miiii.tasks.dataset import build_dataset

DRAWS = 20


def report(rounds, preset="fast"):
    """Measure once (minutes) and print; `rounds` is for what takes milliseconds."""
    del rounds
    config = get_preset(preset)
    dataset = build_dataset(config.task, 0)
    base, moduli = config.task.base, dataset.moduli
    parameters = initialise(
        jax.random.key(0), config.model, base, sum(dataset.class_sizes), len(dataset.class_sizes)
    )
    print(f"{preset}: p = {base}, {len(moduli)} tasks, {4 * config.model.width:,} neurons")
    dictionary_room._made.cache_clear()
    timed("dictionary, made once", lambda: beyond_digits(base, moduli))
    hidden = timed("activations on all numbers", lambda: record(parameters, "mlp_hidden"))
    values = hidden["mlp_hidden"]
    timed("attribution on the number line", lambda: attribute(values, base, moduli))
    timed("attribution on the digits", lambda: attributed_neurons(parameters, moduli))
    for name, removal in (("harmonics", harmonic_removal), ("neurons", neuron_removal)):
        timed(
            f"causal matrix, {name}, {DRAWS} control draws",
            lambda removal=removal: removal(parameters, dataset, draws=DRAWS),
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory of the process: {peak:.2f} GiB")


def timed(what, call):
    """Call once and say how long it took."""
    began = time.perf_counter()
    found = call()
    print(f"{what}: {time.perf_counter() - began:.1f} s", flush=True)
    return found
