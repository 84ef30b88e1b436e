"""`python -m serving.inference`: the inference service on a host that has no more than requirements/inference.txt."""

import logging
import os
import sys

from contracts.errors import HeadraceError
from contracts.settings import read_settings
from serving.inference.service import run_service


def main() -> int:
    """Serve until SIGTERM; exit code 2 with one sentence for settings that cannot work."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    try:
        run_service(read_settings(os.environ))
    except HeadraceError as error:
        sys.stderr.write(f"headrace: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
