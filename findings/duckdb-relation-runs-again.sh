#!/usr/bin/env bash
# Guess: duckdb.sql gives a result: asking it twice gives the same rows, and len(result) is their
#   number.
# What happens: since version 2 it gives a query, which runs anew at every fetchall, df, len and
#   shape. With a sample or random() in it each of them sees other rows, and a table that grew in
#   between is read as it is by then. .fetchone is gone for that reason; create a table, or keep the
#   list, where one result is meant.
# Whom it hurts: whoever draws a sample of runs, prints it and then plots it: table and figure show
#   different runs. And whoever counts rows in a database to which workers write.
source "$(dirname "$0")/common.bash"
packages duckdb==2.0.1

python - <<'PYTHON'
import duckdb

duckdb.sql("create table runs as select range as run from range(100000)")
sample = duckdb.sql("select run from runs using sample 3 rows")
seen = [sorted(row[0] for row in sample.fetchall()) for _ in range(3)]
print("three looks at one sample of 3:", seen)
assert seen[0] != seen[1] or seen[1] != seen[2]

some = duckdb.sql("select run from runs where random() < 0.01")
counts = [len(some), some.shape[0], len(some.fetchall())]
print("len, shape and fetchall of one query with random():", counts)
assert len(set(counts)) > 1

total = duckdb.sql("select count(*) from runs")
before = total.fetchall()
duckdb.sql("insert into runs values (-1)")
after = total.fetchall()
print("a count made before an insert, looked at before and after:", before, after)
assert after[0][0] == before[0][0] + 1

kept = duckdb.sql("select run from runs using sample 3 rows").fetchall()
duckdb.sql("create table drawn as select run from runs using sample 3 rows")
drawn = duckdb.sql("from drawn")
assert drawn.fetchall() == drawn.fetchall()
print("kept as a list:", kept, "as a table:", drawn.fetchall())
PYTHON
