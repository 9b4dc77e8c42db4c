"""The ledger: for each claim of the paper its statistic, its rule and its verdict.

`judge.judge` makes it of `measurements.Measurements`, one per run. `rules` has every threshold with
its reason, beside the claim that it decides. Nothing here trains or reads files.
"""
