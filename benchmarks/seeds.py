"""A batch of seeds in one program against the same seeds one after the other."""

from benchmarks.epoch import our_epochs
from benchmarks.timing import ratio, take_turns
from miiii.config.config import replace_fields
from miiii.config.presets import get_preset
from miiii.experiment.batch import make_batch
from miiii.experiment.program import compile_program, numerics


def report(rounds, preset="tiny", seeds=8, count=200):
    """Measure and print."""
    config = replace_fields(get_preset(preset), epochs=10**6)
    single, _ = our_epochs(config, count)
    batch = make_batch([replace_fields(config, seed=seed) for seed in range(seeds)])
    with numerics(batch.setting):
        program = compile_program(batch, lambda: False)
        assert program is not None
        held = [program.place(program.initial_states())]

    def together():
        held[0], record = program.chunk(held[0], 0, count, program.inputs)
        return record

    def in_turn():
        return [single() for _ in range(seeds)]

    contestants = {"together": (together, count), "one after the other": (in_turn, count)}
    seconds = take_turns(contestants, rounds)
    best, median = ratio(seconds, "one after the other", "together")
    print(f"{preset}: {seeds} seeds one after the other / together: {best:.2f} ({median:.2f})")
