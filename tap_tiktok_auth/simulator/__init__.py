"""A TikTok to test against, on a loopback port.

``Simulator`` serves the token endpoints, the data endpoints that tell what a token may do, and
the two consent pages, as strictly as they are documented. It knows nothing of the rest of this
package: it is an independent stand-in, not a mock that agrees with the code under test.

Importing this package is cheap. The server (aiohttp, extra ``simulator``) is loaded when
``Simulator`` is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator.model import Call, SimulatedApp, Tokens
    from tap_tiktok_auth.simulator.scenarios import Scenario
    from tap_tiktok_auth.simulator.simulator import Simulator

__all__ = ["Call", "Scenario", "SimulatedApp", "Simulator", "Tokens"]

_HOMES = {
    "Call": "model",
    "Scenario": "scenarios",
    "SimulatedApp": "model",
    "Simulator": "simulator",
    "Tokens": "model",
}


def __getattr__(name: str) -> object:
    """Load a public name from its module when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
