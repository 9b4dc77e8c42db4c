#!/usr/bin/env bash
# Guess: MLflow gives back the infinite loss that was logged, as it gives back NaN.
# What happens: its SQL database keeps infinity as 1.7976931348623157e308, the largest float64. What comes
#   back is finite: isfinite is true, and the mean with another loss is finite. The documentation of
#   log_metric says that special values may be replaced. NaN comes back as NaN.
# Whom it hurts: whoever counts diverged runs with isfinite, averages over seeds, or plots the curve.
source "$(dirname "$0")/common.bash"
packages mlflow-skinny==3.17.2 SQLAlchemy==2.1.9 alembic==1.20.1

cd "$folder"
python -W ignore - <<'PYTHON'
import logging
import math

from mlflow import MlflowClient

logging.disable()
client = MlflowClient("sqlite:///mlflow.db")
experiment = client.create_experiment("grokking")
run = client.create_run(experiment).info.run_id
logged = [0.5, math.inf, -math.inf, math.nan]
for epoch, value in enumerate(logged):
    client.log_metric(run, "loss", value, step=epoch)
read = [point.value for point in sorted(client.get_metric_history(run, "loss"), key=lambda point: point.step)]
print("logged:", logged)
print("read:  ", read)
assert read[:3] == [0.5, 1.7976931348623157e308, -1.7976931348623157e308]
assert math.isnan(read[3])

diverged = client.create_run(experiment).info.run_id
client.log_metric(diverged, "final_loss", math.inf)
found = client.search_runs([experiment], "metrics.final_loss > 1e300")
value = found[0].data.metrics["final_loss"]
mean = (value + 0.5) / 2
print("a diverged run's final loss:", value, "isfinite:", math.isfinite(value), "mean with 0.5:", mean)
assert [one.info.run_id for one in found] == [diverged]
assert math.isfinite(value) and math.isfinite(mean)
PYTHON
