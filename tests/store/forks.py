"""Children made by fork, as web servers and task queues make them."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def forked(work: Callable[[], bool]) -> bool:
    """Run *work* in a forked child and return whether it returned true."""
    with warnings.catch_warnings():
        # Python warns of forks beside threads; the test runner has some.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
