"""One BLAS thread a process: products of the same numbers keep the same last bits wherever they are computed."""

from threadpoolctl import threadpool_limits


def use_one_thread() -> None:
    """Hold the BLAS libraries loaded so far to one thread, from now on.

    How a product is split among threads decides the order of its sums; and where several workers share the cores,
    each with threads of its own, they only wait for each other.
    """
    threadpool_limits(1, "blas")
