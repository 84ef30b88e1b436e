"""A fit holds every BLAS of the process to one thread, whatever was loaded before it."""

import subprocess
import sys

FIT_IN_A_FRESH_PROCESS = """
import numpy as np
from scipy.sparse import csr_matrix
from models.als import AlsParameters, fit_implicit
fit_implicit(csr_matrix(np.eye(4, dtype=np.float32)), AlsParameters(factors=2))
import threadpoolctl
print({one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"})
"""


def test_a_fit_in_a_fresh_process_warns_of_nothing_and_leaves_one_thread_to_each_blas() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FIT_IN_A_FRESH_PROCESS],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ".", "OPENBLAS_NUM_THREADS": "2"},
    )
    assert (done.stdout, done.returncode) == ("{1}\n", 0), done.stderr
