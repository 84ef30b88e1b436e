"""Arrays in, arrays out: candidates, features, ranking and their evaluation; no Spark, no Redis, no HTTP."""
