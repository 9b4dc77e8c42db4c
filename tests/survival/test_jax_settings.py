"""What JAX's variables set changes no bit of a run, and another generator is refused."""

import json

import jax
import numpy as np
import pytest

import miiii
from miiii import RunError
from miiii.runs.directory import RunDirectory
from wording import naming

CONFIG = miiii.replace_fields(
    miiii.get_preset("tiny"), base=7, width=8, heads=2, epochs=6, minibatches=2, snapshots=2
)
SETTINGS = {
    "jax_threefry_partitionable": False,
    "jax_default_prng_impl": "rbg",
    "jax_random_seed_offset": 7,
    "jax_numpy_rank_promotion": "raise",
    "jax_numpy_dtype_promotion": "strict",
    "jax_disable_jit": True,
}


@pytest.fixture
def strange_settings():
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    for name, value in SETTINGS.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    miiii.start([CONFIG], ["plain"], folder)
    return folder / "plain"


def test_settings_of_jax_change_no_bit(plain, tmp_path, strange_settings):
    miiii.start([CONFIG], ["strange"], tmp_path)
    one, other = RunDirectory(plain).load_checkpoint(), None
    other = RunDirectory(tmp_path / "strange").load_checkpoint()
    assert one.arrays.keys() == other.arrays.keys()
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(other.arrays[name], values, err_msg=name)


def test_the_generator_is_kept_and_another_refused(plain):
    directory = RunDirectory(plain)
    found = directory.provenance["random_numbers"]
    assert found == {"generator": "threefry2x32", "partitionable": True}
    found["partitionable"] = False
    path = plain / "provenance.json"
    before = path.read_text()
    path.write_text(json.dumps(directory.provenance | {"random_numbers": found}))
    with pytest.raises(RunError, match=naming("'partitionable' False")):
        miiii.resume(plain, epochs=8)
    path.write_text(before)
    assert miiii.resume(plain, epochs=8).state == "finished"
