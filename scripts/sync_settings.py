"""Keep the settings in step wherever they are written down.

`tap_tiktok_auth/config/settings.py` is the table. From it come the settings in `meltano.yml`, the
plugin definition for `meltano add --from-ref`, `.env.example`, and the table and Meltano's short
entry in the README.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tap_tiktok_auth.config.settings import BY_NAME, SDK_SETTINGS, SETTINGS, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
PLUGIN = "tap-tiktok-auth"
PLUGIN_FILE = f"{PLUGIN}.plugin.yml"

CHECKOUT = f"-e /path/to/{PLUGIN}[postgres]"

#: What the README's short entry for Meltano has.
SHORT_SETTINGS = (
    "api",
    "app_id",
    "app_secret",
    "auth_code",
    "refresh_token",
    "access_token",
    "redirect_uri",
    "connections",
    "token_store",
    "token_store_key",
)
SHORT_COMMANDS = ("login", "status", "doctor")

#: Meltano's names for our kinds; it has no `number`.
_MELTANO_KINDS = {"number": "decimal", "strings": "array", "objects": "array"}


def expected(root: Path = ROOT) -> dict[str, str]:
    """Return what each file should hold, by its path below *root*."""
    meltano = _between(_read(root / "meltano.yml"), "settings", _meltano_block())
    return {
        "meltano.yml": meltano,
        PLUGIN_FILE: plugin_definition(meltano),
        ".env.example": env_example(),
        "README.md": _with_entry(
            _between(_read(root / "README.md"), "settings", readme_table()), readme_entry(meltano)
        ),
    }


def meltano_setting(setting: Setting) -> dict[str, Any]:
    """Return a setting as Meltano describes it.

    Defaults stay in the tap, so that Meltano does not hand every one of them over as if the user
    had set it; the description names them.
    """
    kind = "options" if setting.choices else _MELTANO_KINDS.get(setting.kind, setting.kind)
    entry: dict[str, Any] = {"name": setting.name, "kind": kind, "label": setting.title}
    entry["description"] = _described(setting)
    if setting.choices:
        entry["options"] = [{"label": choice, "value": choice} for choice in setting.choices]
    # An entry of `connections` may hold an app secret or a seed.
    if setting.secret or setting.kind == "objects":
        entry["sensitive"] = True
    return entry


def plugin_definition(meltano_yml: str) -> str:
    """Return the plugin definition: the extractor of *meltano_yml*, installed from a checkout.

    The package is on no registry yet, so the definition must not name it there: someone else could
    take that name.
    """
    definition = {**extractor(meltano_yml), "variant": PLUGIN, "pip_url": CHECKOUT}
    return (
        "# Plugin definition for `meltano add --no-install --from-ref`; set pip_url afterwards.\n"
        "# Made from meltano.yml by scripts/sync_settings.py.\n" + _dump(definition)
    )


def extractor(meltano_yml: str) -> dict[str, Any]:
    """Return the tap's entry in *meltano_yml*."""
    (found,) = (p for p in plugins(meltano_yml, "extractors") if p["name"] == PLUGIN)
    return found


def plugins(meltano_yml: str, kind: str) -> list[dict[str, Any]]:
    """Return the plugins of that *kind*, such as `loaders`, in *meltano_yml*."""
    found: list[dict[str, Any]] = yaml.safe_load(meltano_yml)["plugins"][kind]
    return found


def env_example() -> str:
    """Return the text of `.env.example`: every setting, commented out."""
    lines = [
        "# Copy to .env and fill in what you need; Meltano reads it. Keep .env out of git.",
        "# Made by scripts/sync_settings.py.",
    ]
    for setting in SETTINGS:
        comment = textwrap.wrap(_plain(_described(setting)), 96, break_on_hyphens=False)
        lines += ["", *(f"# {line}" for line in comment), f"# {setting.env_var}={_sample(setting)}"]
    return "\n".join(lines) + "\n"


def readme_table() -> str:
    """Return the settings as a Markdown table."""
    rows = ["| setting | kind | default | |", "|---|---|---|---|"]
    for setting in SETTINGS:
        if setting in SDK_SETTINGS:
            continue
        kind = _shown_kind(setting)
        default = "" if setting.default is None else f"`{_default(setting)}`"
        rows.append(f"| `{setting.name}` | {kind} | {default} | {setting.description} |")
    names = ", ".join(f"`{setting.name}`" for setting in SDK_SETTINGS)
    rows.append(f"| {names} | | | Of the Singer SDK: stream maps and flattening. |")
    return "\n".join(rows) + "\n"


def readme_entry(meltano_yml: str) -> str:
    """Return the README's short entry of a Meltano project."""
    full = extractor(meltano_yml) | {"pip_url": CHECKOUT}
    lines = [f"{key}: {full[key]}" for key in ("name", "namespace", "pip_url", "executable")]
    lines += [f"capabilities: {_flow(full['capabilities'])}", "settings:"]
    for name in SHORT_SETTINGS:
        entry = meltano_setting(BY_NAME[name])
        kept = {"name": name} | {k: v for k, v in entry.items() if (k, v) in _SHORT}
        lines.append(f"- {_flow(kept)}")
    lines.append("commands:")
    for name in SHORT_COMMANDS:
        call = {key: full["commands"][name][key] for key in ("executable", "args")}
        lines.append(f"  {name}: {_flow(call)}")
    body = "\n".join(f"  {'  ' if number else '- '}{line}" for number, line in enumerate(lines))
    return f"plugins:\n  extractors:\n{body}\n"


#: What the short entry says of a setting beside its name: a text's kind goes without saying.
_SHORT = (("kind", "array"), ("sensitive", True))


def _with_entry(readme: str, entry: str) -> str:
    """Replace the README's one block of YAML."""
    return re.sub(r"(?ms)(^```yaml\n).*?(^```$)", lambda match: match[1] + entry + match[2], readme)


def _flow(value: object) -> str:
    """Return a value as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.strip()


def _shown_kind(setting: Setting) -> str:
    kind = {"strings": "list of strings", "objects": "list of objects"}
    return ("secret " if setting.secret else "") + kind.get(setting.kind, setting.kind)


def _described(setting: Setting) -> str:
    if setting.default is None:
        return setting.description
    return f"{setting.description} Default: `{_default(setting)}`."


def _default(setting: Setting) -> str:
    value = setting.default
    return value if isinstance(value, str) else json.dumps(value)


def _sample(setting: Setting) -> str:
    if setting.default is not None:
        return _default(setting)
    return {"strings": "[]", "objects": "[]", "object": "{}"}.get(setting.kind, "")


def _plain(text: str) -> str:
    return text.replace("`", "")


def _meltano_block() -> str:
    entries = [meltano_setting(setting) for setting in SETTINGS]
    return textwrap.indent(_dump({"settings": entries}), "    ")


def _dump(value: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, width=100, allow_unicode=True)
    return text


def _between(text: str, name: str, block: str) -> str:
    """Replace what stands between the markers `name: begin` and `name: end`."""
    pattern = rf"(?ms)(^[^\n]*\b{name}: begin\b[^\n]*\n).*?(^[^\n]*\b{name}: end\b)"
    text, count = re.subn(pattern, lambda match: match[1] + block + match[2], text)
    if count != 1:
        msg = f"expected one pair of markers '{name}: begin' and '{name}: end', found {count}"
        raise SystemExit(msg)
    return text


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def out_of_step(root: Path = ROOT) -> list[str]:
    """Return the files whose text differs from the settings."""
    return [name for name, text in expected(root).items() if _read(root / name) != text]


def main(arguments: Iterable[str] | None = None) -> int:
    """Check or write the files; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="exit 1 if a file is out of step")
    what.add_argument("--write", action="store_true", help="bring the files into step")
    chosen = parser.parse_args(None if arguments is None else list(arguments))
    stale = out_of_step()
    for name in stale:
        if chosen.write:
            (ROOT / name).write_text(expected()[name], encoding="utf-8")
        print(f"{name}: {'written' if chosen.write else 'out of step with settings.py'}")
    if stale and chosen.check:
        print("Run: .venv/bin/python scripts/sync_settings.py --write")
    return 1 if stale and chosen.check else 0


if __name__ == "__main__":
    sys.exit(main())
