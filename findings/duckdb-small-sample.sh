#!/usr/bin/env bash
# Guess: "using sample 10 rows" draws each row of a table with the same chance.
# What happens: small samples of large tables come from the beginning: of 100,000 rows, samples of 10
#   never reach the second half, samples of 1 never the second tenth. At 113 * 113 rows, samples of 1
#   come from the first 4,000. From some hundred rows on the draw looks even.
#   "order by random() limit 10" is even at every size.
# Whom it hurts: whoever looks at a few random inputs, runs or neurons of a sorted table: they see
#   small numbers, the first tasks, the early epochs, and take them for typical.
source "$(dirname "$0")/common.bash"
packages duckdb==2.0.1

python - <<'PYTHON'
import duckdb


def tenths(size, query, times):
    """How often each tenth of a table of 0 to size - 1 was drawn from."""
    duckdb.sql(f"create or replace table inputs as select range as n from range({size})")
    counts = [0] * 10
    for _ in range(times):
        for (n,) in duckdb.sql(f"select n from inputs {query}").fetchall():
            counts[10 * n // size] += 1
    print(f"{size:6} rows, {query}, {times} times: {counts}")
    return counts


assert not any(tenths(100_000, "using sample 1 rows", 100)[1:])
assert not any(tenths(100_000, "using sample 10 rows", 100)[5:])
assert not any(tenths(113 * 113, "using sample 1 rows", 100)[5:])
assert min(tenths(100_000, "using sample 1000 rows", 20)) > 1800
assert min(tenths(100_000, "order by random() limit 10", 100)) > 60
PYTHON
