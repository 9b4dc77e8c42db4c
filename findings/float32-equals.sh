#!/usr/bin/env bash
# Guess: within one library, rows whose float32 column equals 0.1 are found or they are not.
# What happens: both, by the way one asks. DuckDB finds the row with the literal 0.1 and not with
#   the parameter 0.1; polars with == and not with is_in; pandas with == and not with isin, nor with
#   a Parquet filter; pandas on Arrow's dtypes the other way round.
# Whom it hurts: whoever keeps learning rates and weight decays in float32 and asks for one setting.
#   The empty answer is no error. The same rows come with float64 in all of them.
source "$(dirname "$0")/common.bash"
packages duckdb==2.0.1 polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1

python - "$folder/runs.parquet" <<'PYTHON'
import sys

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

path = sys.argv[1]
counts = {}
for kind in (pa.float32(), pa.float64()):
    table = pa.table({"decay": pa.array([0.1, 0.3, 1.0], kind)})
    pq.write_table(table, path)
    lazy, frame = pl.read_parquet(path), pd.read_parquet(path)
    arrow_backed = pd.read_parquet(path, dtype_backend="pyarrow")
    asked = f"select * from '{path}' where decay"
    counts[str(kind)] = {
        "duckdb  = 0.1": len(duckdb.sql(f"{asked} = 0.1").fetchall()),
        "duckdb  = ?": len(duckdb.execute(f"{asked} = ?", [0.1]).fetchall()),
        "polars  ==": lazy.filter(pl.col("decay") == 0.1).height,
        "polars  is_in": lazy.filter(pl.col("decay").is_in([0.1])).height,
        "pandas  ==": int((frame.decay == 0.1).sum()),
        "pandas  isin": int(frame.decay.isin([0.1]).sum()),
        "pandas  filters": len(pd.read_parquet(path, filters=[("decay", "==", 0.1)])),
        "pandas (arrow)  ==": int((arrow_backed.decay == 0.1).sum()),
        "pandas (arrow)  isin": int(arrow_backed.decay.isin([0.1]).sum()),
        "pyarrow  equal": pc.sum(pc.equal(table["decay"], 0.1)).as_py(),
    }
for way in counts["float"]:
    print(f"{way:21} float32 {counts['float'][way]}, float64 {counts['double'][way]}")
assert set(counts["double"].values()) == {1}
assert list(counts["float"].values()) == [1, 0, 1, 0, 1, 0, 0, 0, 1, 0]
PYTHON
