"""Reads exports with other libraries, in an environment that has them; prints JSON.

Imports nothing of miiii. Arguments: tables FOLDER | card README.
"""

import json
import sys
from pathlib import Path

QUERY = (
    "SELECT modulus, count(DISTINCT filename) AS runs FROM {files} WHERE split = 'validation' "
    "AND accuracy >= 0.99 GROUP BY modulus ORDER BY modulus"
)


def duckdb_answers(folder, kind):
    import duckdb

    reader = "read_parquet" if kind == "parquet" else "read_csv"
    files = f"{reader}('{folder}/*.{kind}', filename = true)"
    solved = dict(duckdb.sql(QUERY.format(files=files)).fetchall())
    top = duckdb.sql(f"SELECT max(loss), count(loss), count(accuracy) FROM {files}").fetchall()[0]
    above = duckdb.sql(f"SELECT count(*) FROM {files} WHERE accuracy > 1 OR loss > 1e6").fetchall()[
        0
    ]
    return solved, [*top, *above]


def polars_answers(folder, kind):
    import polars

    read = polars.scan_parquet if kind == "parquet" else polars.scan_csv
    rows = read(f"{folder}/*.{kind}", include_file_paths="filename")
    rows = rows.with_columns(polars.col("split").cast(polars.String)).collect()
    chosen = rows.filter((polars.col("split") == "validation") & (polars.col("accuracy") >= 0.99))
    solved = chosen.group_by("modulus").agg(polars.col("filename").n_unique()).rows()
    above = rows.filter((polars.col("accuracy") > 1) | (polars.col("loss") > 1e6)).height
    counts = [rows[name].count() for name in ("loss", "accuracy")]
    return dict(solved), [rows["loss"].max(), *counts, above]


def pandas_answers(folder, kind):
    import pandas

    read = pandas.read_parquet if kind == "parquet" else pandas.read_csv
    paths = sorted(Path(folder).glob(f"*.{kind}"))
    rows = pandas.concat([read(path).assign(filename=path.name) for path in paths])
    chosen = rows[(rows["split"] == "validation") & (rows["accuracy"] >= 0.99)]
    solved = chosen.groupby("modulus")["filename"].nunique().to_dict()
    above = int(((rows["accuracy"] > 1) | (rows["loss"] > 1e6)).sum())
    counts = [int(rows[name].count()) for name in ("loss", "accuracy")]
    return solved, [float(rows["loss"].max()), *counts, above]


def tables(folder):
    found = {}
    for library in (duckdb_answers, polars_answers, pandas_answers):
        for kind in ("parquet", "csv"):
            solved, rest = library(folder, kind)
            solved = {str(key): int(value) for key, value in sorted(solved.items())}
            found[f"{library.__name__} {kind}"] = [solved, [float(each) for each in rest]]
    return found


def card(path):
    """The card's results after two rounds of load and save."""
    from huggingface_hub import ModelCard

    for _ in range(2):
        ModelCard.load(path).save(path)
    results = ModelCard.load(path).data.eval_results
    return [
        [one.dataset_config, one.dataset_split, one.metric_type, one.metric_value, one.task_name]
        for one in results
    ]


if __name__ == "__main__":
    what, argument = sys.argv[1:]
    print(json.dumps({"tables": tables, "card": card}[what](argument)))
