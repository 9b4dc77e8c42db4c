"""The ledger: for each claim of the paper its statistic, its rule and its verdict.

Measurements in (`measurements.Measurements`, one per run), findings out (`judge.judge`). Nothing
here trains, loads or transforms; every threshold, with its reason, stands in `rules`, beside the
claim that it decides.
"""
