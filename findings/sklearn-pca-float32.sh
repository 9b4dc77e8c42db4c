#!/usr/bin/env bash
# Guess: scikit-learn's PCA of float32 activations gives the singular values of the centred matrix to
#   float32's precision, as numpy.linalg.svd does.
# What happens: with at least ten times as many rows as columns, up to 1,000 of these, svd_solver="auto"
#   takes the eigenvalues of the covariance, where the singular values are squared. In float32 the larger
#   ones are right, but one at 1e-6 of the largest comes out a hundred times too large, and below 1e-5
#   of it the directions are not the true ones. float64 input, or svd_solver="full", gives what was guessed.
# Whom it hurts: whoever counts dimensions of activations or embeddings over all pairs (12,769 rows of
#   128 numbers), or looks for a weak direction in them: the spectrum ends in a floor that is rounding.
source "$(dirname "$0")/common.bash"
packages scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1

python - <<'PYTHON'
import numpy as np
from sklearn.decomposition import PCA

rows, width, rank = 113**2, 128, 20
rng = np.random.default_rng(0)
left = rng.standard_normal((rows, rank))
left = np.linalg.qr(left - left.mean(axis=0))[0]  # Its columns stay centred.
right = np.linalg.qr(rng.standard_normal((width, rank)))[0]
true = 10.0 ** np.linspace(3, -3, rank)
activations = ((left * true) @ right.T).astype(np.float32)


def singular_values(matrix, **settings):
    fitted = PCA(**settings).fit(matrix)
    alike = np.abs((fitted.components_[:rank] * right.T).sum(axis=1))
    return np.sqrt(fitted.explained_variance_[:rank] * (rows - 1)), alike


by_numpy = np.linalg.svd(activations - activations.mean(axis=0), compute_uv=False)[:rank]
assert np.allclose(by_numpy, true, rtol=0.3)
print("singular values, true:", true[[0, 10, 13, 16, 19]].round(4))
for name, matrix, settings, right_values in (
    ("float32", activations, {}, False),
    ('float32, svd_solver="full"', activations, {"svd_solver": "full"}, True),
    ("float64 of the same", activations.astype(np.float64), {}, True),
):
    values, alike = singular_values(matrix, **settings)
    some = [0, 10, 13, 16, 19]
    print(f"{name}: {values[some].round(4)}, cosines with the true directions {alike[some].round(2)}")
    assert np.allclose(values[:10], true[:10], rtol=1e-2)
    if right_values:
        assert np.allclose(values, true, rtol=0.3)
        assert (alike > 0.9).all()
    else:
        assert values[19] / true[19] > 30
        assert (alike[16:] < 0.6).all()
PYTHON
