"""The MLP's input as a sum over a table: what W_o and W_in cost where all numbers share a mask.

With one block and an answer token the attention output of a number is a sum over heads and
positions of an attention weight times a row of a table over (position, digit): value times W_o.
Where dropout has one mask for all numbers, or none, W_in can be taken into that table too, and the
input of the MLP is 3 · heads terms per neuron in place of width². This is a trial: the package does
not compute it so, because the ratios printed here do not pay for a second way.

What can be won is bounded. Of the matrix products per number, W_o and W_in are
(D² + 4D²) / (9D² + D·V) = 34 % at D = 256, V = 1,480, so that no epoch and no forward pass can take
less than 0.66 times its products, whatever the table costs.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import ratio, take_turns
from miiii.config.presets import get_preset
from miiii.experiment.batch import make_batch
from miiii.experiment.program import numerics
from miiii.model.dense import dense
from miiii.model.dropout import dropout_masks
from miiii.model.transformer import embeddings, forward
from miiii.training.step import initial_parameters


@jax.custom_vjp
def weighted_rows(first, second, answer, weights):
    """Σ over heads of weight times row, for every number on the grid.

    Args:
        first: [p, H, C], rows of the digit x0.
        second: of x1.
        answer: [H, C].
        weights: of each position [p, p, H], by x1 and x0.

    Returns:
        [p, p, C], by x1 and x0.
    """
    total = 0
    for head in range(answer.shape[0]):
        of_first, of_second, of_answer = (weight[:, :, head, None] for weight in weights)
        total = total + of_first * first[None, :, head] + of_second * second[:, None, head]
        total = total + of_answer * answer[head]
    return total


def _forward(first, second, answer, weights):
    return weighted_rows(first, second, answer, weights), (first, second, answer, weights)


def _backward(saved, gradient):
    first, second, answer, (of_first, of_second, of_answer) = saved
    rows = (
        jnp.einsum("bah,bac->ahc", of_first, gradient),
        jnp.einsum("bah,bac->bhc", of_second, gradient),
        jnp.einsum("bah,bac->hc", of_answer, gradient),
    )
    weights = (
        jnp.einsum("bac,ahc->bah", gradient, first),
        jnp.einsum("bac,bhc->bah", gradient, second),
        jnp.einsum("bac,hc->bah", gradient, answer),
    )
    return *rows, weights


weighted_rows.defvjp(_forward, _backward)


@jax.custom_vjp
def take(grid, rows, places):
    """`grid[rows]` of different rows; `places` has of every row of the grid its place, or B."""
    return grid[rows]


def _take_forward(grid, rows, places):
    return grid[rows], places


def _take_backward(places, gradient):
    return jnp.concatenate([gradient, jnp.zeros_like(gradient[:1])])[places], None, None


take.defvjp(_take_forward, _take_backward)


def by_tables(parameters, masks=None, rows=None, places=None):
    """Logits of all p² numbers, or of some, with W_o and W_in inside tables."""
    (block,) = parameters.blocks
    heads, width, head_width = block.query.shape
    tables, answer = embeddings(parameters)
    assert answer is not None
    query = jnp.einsum("d,hdk->hk", answer, block.query)
    direction = jnp.einsum("hdk,hk->dh", block.key, query) / math.sqrt(head_width)
    digit_scores, answer_score = tables @ direction, answer @ direction
    base = tables.shape[1]
    scores = (digit_scores[0][None], digit_scores[1][:, None], answer_score[None, None])
    whole = jnp.stack([jnp.broadcast_to(one, (base, base, heads)) for one in scores])
    weights = tuple(jax.nn.softmax(whole, axis=0))
    mask, last_mask = (masks.attention[0, 0], masks.mlp[0, 0]) if masks else (1.0, 1.0)

    def written(rows):
        values = jnp.einsum("...d,hdk->...hk", rows, block.value)
        return jnp.einsum("...hk,hkd->...hd", values, block.output) * mask

    streams = [written(tables).reshape(-1, width), written(answer), (answer * mask)[None]]
    stream = jnp.concatenate(streams)
    joined = jnp.concatenate([stream @ block.mlp_in, stream], axis=1)
    digits = joined[: -heads - 1].reshape(2, base, heads, -1)
    total = weighted_rows(digits[0], digits[1], joined[-heads - 1 : -1], weights) + joined[-1]
    total = total.reshape(base**2, -1)
    if rows is not None:
        total = take(total, rows, places)
    before, middle = total[:, : block.mlp_in.shape[1]], total[:, block.mlp_in.shape[1] :]
    last = (middle + dense(jax.nn.relu(before), block.mlp_out)) * last_mask
    return (parameters.unembedding.T @ last.T).T


def report(rounds):
    """Measure and print."""
    config = get_preset("reference32")
    batch = make_batch([config])
    dataset = batch.datasets[0]
    rows = dataset.split.train
    places = np.full(len(dataset.digits), len(rows), np.int32)
    places[rows] = np.arange(len(rows))
    with numerics(batch.setting):
        parameters = jax.jit(lambda: initial_parameters(batch.setting, 0))()
        digits = jnp.asarray(dataset.digits)
        (masks,) = shared = dropout_masks(
            jax.random.key(0), 0.1, samples=1, depth=1, positions=3, width=config.model.width
        )
        shape = (len(rows), batch.setting.outputs)
        slopes = jax.random.normal(jax.random.key(1), shape) / len(rows)
        given = jnp.asarray(rows), jnp.asarray(places)

        def ours(weights):
            return (forward(weights, digits[given[0]], shared)[0] * slopes).sum()

        def tables(weights):
            return (by_tables(weights, masks, *given) * slopes).sum()

        calls = {
            "forward": jax.jit(lambda weights: forward(weights, digits)[0]),
            "forward by tables": jax.jit(by_tables),
            "gradient": jax.jit(jax.value_and_grad(ours)),
            "gradient by tables": jax.jit(jax.value_and_grad(tables)),
        }
        contestants = {
            name: ((lambda call=call: call(parameters)), 1) for name, call in calls.items()
        }
        seconds = take_turns(contestants, rounds)
        one, other = calls["forward"](parameters), calls["forward by tables"](parameters)
        difference = float(jnp.abs(one - other).max() / jnp.abs(one).max())
    print(f"p = 113, d = 256; forward: {len(digits):,} numbers, gradient: {len(rows):,}, one mask")
    for name in seconds:
        print(f"  {name:28}{1e3 * min(seconds[name]):8.1f} ms")
    for name, goal in (("forward", 0.6), ("gradient", 0.8)):
        best, median = ratio(seconds, f"{name} by tables", name)
        print(f"  {name} by tables / ours: {best:.2f} ({median:.2f})  goal: at most {goal}")
    print(f"  largest difference of the logits: {difference:.1e} of the largest (float32)")
