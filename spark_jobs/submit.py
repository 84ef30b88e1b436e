"""Run several jobs of one interval in one Spark application: submit.py JOB... and the options of any job."""

import difflib
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # spark-submit puts this file's folder first on the path, where our packages are not
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from contracts.errors import BadInput
from contracts.pipeline import HOUR, TRAINING
from spark_jobs.context import Job, argument_parser, run_all

SPARK_JOBS = tuple(dict.fromkeys(job for step in (*HOUR, *TRAINING) if step.spark for job in step.jobs))


def load_job(name: str) -> Job:
    """The run function of a job that needs Spark; BadInput lists near names."""
    if name not in SPARK_JOBS:
        near = difflib.get_close_matches(name, SPARK_JOBS, n=3) or SPARK_JOBS
        raise BadInput(f"no Spark job is called {name!r}; there is {', '.join(near)}")
    job: Job = importlib.import_module(f"spark_jobs.{name}").run
    return job


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the jobs' names and the interval, and run them in order."""
    parser = argument_parser()
    parser.add_argument("jobs", nargs="+", metavar="JOB", help=", ".join(SPARK_JOBS))
    options = parser.parse_args(argv)
    try:
        jobs = [load_job(name) for name in options.jobs]
    except BadInput as error:
        parser.error(str(error))
    run_all(jobs, options, spark=True)


if __name__ == "__main__":
    main()
