"""How long a script waits for a token that is in the store, and what a cached run costs."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from harness import BIN, Figure, environment, far_simulator, settings, table, wall

#: A tap that does nothing but what the SDK does for every tap.
EMPTY_TAP = """
from singer_sdk import Stream, Tap, typing as th
class Nothing(Stream):
    name = "nothing"
    schema = th.PropertiesList(th.Property("id", th.StringType)).to_dict()
    def get_records(self, context):
        return iter(())
class TapEmpty(Tap):
    name = "tap-empty"
    config_jsonschema = th.PropertiesList().to_dict()
    def discover_streams(self):
        return [Nothing(self)]
TapEmpty.cli()
"""


def measure() -> list[Figure]:
    """Measure `tiktok-auth token` and a run of the tap, both with a token in the store."""
    with far_simulator() as tiktok, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own = tiktok.call("settings", "marketing")
        credentials = {k: own[k] for k in ("app_id", "app_secret", "auth_code")}
        env = environment(settings(tiktok, folder, **credentials))
        empty = folder / "tap_empty.py"
        empty.write_text(EMPTY_TAP)
        python = wall([sys.executable, "-c", "pass"], env)
        token = wall([BIN / "tiktok-auth", "token", "default"], env)
        sdk = wall([sys.executable, "-c", "import singer_sdk"], env)
        tap = wall([BIN / "tap-tiktok-auth", "--config", "ENV"], env)
        nothing = wall([sys.executable, empty, "--config", "ENV"], env)
    return [
        Figure("Python itself", f"{python * 1000:.0f} ms"),
        Figure("cached token", f"{token * 1000:.0f} ms", "100 ms", token <= 0.1),
        Figure("cached token / import singer_sdk", f"{token / sdk:.2f}", "0.33", token <= sdk / 3),
        Figure(
            "cached run / empty singer-sdk tap",
            f"{tap / nothing:.2f}",
            "1.25",
            tap <= 1.25 * nothing,
        ),
    ]


if __name__ == "__main__":
    print(table(measure()))
