"""The settings: one table from which schema, environment variables and documentation come.

Reading settings never raises an error that contains a value: a value may be a secret that was put
into the wrong place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

#: Prefix of the environment variables that carry settings.
ENV_PREFIX = "TAP_TIKTOK_AUTH_"

#: TikTok's token systems, in the order in which they are documented.
API_NAMES = ("marketing", "accounts", "creator_marketplace", "creator", "login_kit")

Kind = Literal["string", "integer", "number", "boolean", "strings", "objects", "object"]

_JSON_TYPES: dict[Kind, dict[str, Any]] = {
    "string": {"type": ["string", "null"]},
    "integer": {"type": ["integer", "null"]},
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "strings": {"type": ["array", "null"], "items": {"type": "string"}},
    "objects": {"type": ["array", "null"]},
    "object": {"type": ["object", "null"]},
}


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: Its name in the config; the environment variable is `TAP_TIKTOK_AUTH_<NAME>`.
        kind: The kind of its value.
        label: A short title.
        description: What it means, with units.
        default: The value when it is not set.
        secret: Whether its value must never be shown.
        choices: The allowed values, if they are few.
        minimum: The smallest allowed number.
        per_connection: Whether an entry of `connections` may have it.
    """

    name: str
    kind: Kind
    label: str
    description: str
    default: Any = None
    secret: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    per_connection: bool = False

    @property
    def env_var(self) -> str:
        """The environment variable that sets it."""
        return ENV_PREFIX + self.name.upper()

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema, with the annotations that the Singer SDK reads."""
        schema = dict(_JSON_TYPES[self.kind], title=self.label, description=self.description)
        if self.default is not None:
            schema["default"] = self.default
        if self.choices:
            schema["enum"] = [*self.choices, None]
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.secret:
            schema |= {"secret": True, "writeOnly": True}
        return schema


_CONNECTION_SETTINGS = (
    Setting(
        "api",
        "string",
        "API",
        "TikTok token system: `marketing` (advertisers), `accounts` (TikTok account holders), "
        "`creator_marketplace` (TikTok One brands), `creator` (Creator Marketplace creators) or "
        "`login_kit` (TikTok for Developers).",
        default="marketing",
        choices=API_NAMES,
    ),
    Setting("app_id", "string", "App ID", "App id; for Login Kit the client key."),
    Setting(
        "app_secret",
        "string",
        "App secret",
        "App secret; for Login Kit the client secret.",
        secret=True,
    ),
    Setting(
        "auth_code",
        "string",
        "Authorization code",
        "Seed: the code from the callback, URL-decoded once. Exchanged once; harmless afterwards.",
        secret=True,
    ),
    Setting(
        "refresh_token",
        "string",
        "Refresh token",
        "Seed: a refresh token that you already hold.",
        secret=True,
    ),
    Setting(
        "access_token",
        "string",
        "Access token",
        "Seed: an access token that you already hold. May stand beside `refresh_token`.",
        secret=True,
    ),
    Setting(
        "grant_type",
        "string",
        "Grant type",
        "`authorization_code` for a person's consent; `client_credentials` (Login Kit only) for a "
        "token of the app itself, which needs no seed.",
        default="authorization_code",
        choices=("authorization_code", "client_credentials"),
    ),
    Setting(
        "redirect_uri",
        "string",
        "Redirect URI",
        "The callback address as registered with TikTok; sent by `accounts`, `creator` and "
        "`login_kit`.",
    ),
    Setting(
        "code_verifier",
        "string",
        "PKCE code verifier",
        "The verifier of the authorization request; Login Kit desktop and mobile apps only.",
        secret=True,
    ),
    Setting(
        "advertiser_ids",
        "strings",
        "Advertiser IDs",
        "Ad accounts to use where TikTok does not allow their discovery, such as the sandbox; "
        "`marketing` only.",
    ),
)

#: What the Singer SDK reads, for the capabilities that the tap has. The commands check these too,
#: so that a setting is as good for them as for the tap.
SDK_SETTINGS = (
    Setting(
        "stream_maps",
        "object",
        "Stream maps",
        "Stream maps of the Singer SDK: by stream, what to rename, compute, filter or leave out.",
    ),
    Setting(
        "stream_map_config",
        "object",
        "Stream map config",
        "Values that the expressions of `stream_maps` find in `config`.",
    ),
    Setting(
        "faker_config",
        "object",
        "Faker config",
        "`seed` and `locale` of `fake` in `stream_maps`; needs the package faker beside the tap.",
    ),
    Setting(
        "flattening_enabled",
        "boolean",
        "Flattening enabled",
        "Write nested properties as columns; needs `flattening_max_depth`.",
    ),
    Setting(
        "flattening_max_depth",
        "integer",
        "Flattening: greatest depth",
        "How many levels are flattened.",
        minimum=0,
    ),
    Setting(
        "flattening_max_key_length",
        "integer",
        "Flattening: longest key",
        "Longest name of a flattened property; parts of longer ones are shortened.",
        minimum=1,
    ),
    Setting(
        "flattening_separator",
        "string",
        "Flattening: separator",
        "What stands between the parts of a flattened property's name.",
    ),
)

SETTINGS: tuple[Setting, ...] = (
    *(replace(setting, per_connection=True) for setting in _CONNECTION_SETTINGS),
    Setting(
        "connections",
        "objects",
        "Connections",
        "Several connections: a list of objects with `name` and any of the settings above. What "
        "an entry omits it takes from the top level, except for the seeds.",
    ),
    Setting(
        "token_store",
        "string",
        "Token store",
        "Where tokens are kept: `sqlite:////absolute/path.db`, or `postgresql://…` to share them "
        "between machines. Default: a SQLite file in the user's data folder.",
        secret=True,
    ),
    Setting(
        "token_store_key",
        "string",
        "Token store key",
        "Fernet key of the token store, made by `tiktok-auth keygen`. Several, comma separated: "
        "the first encrypts, all decrypt. Default for SQLite: a key file, mode 0600, in the "
        "user's config folder.",
        secret=True,
    ),
    Setting(
        "refresh_margin",
        "integer",
        "Refresh margin",
        "Seconds: a token is refreshed when less is left, but never with more than half of its "
        "own lifetime left.",
        default=1800,
        minimum=0,
    ),
    Setting(
        "consent_warning_days",
        "integer",
        "Consent warning days",
        "Days: warn when a consent ends sooner.",
        default=30,
        minimum=0,
    ),
    Setting(
        "on_error",
        "string",
        "On error",
        "`fail`: emit all that can be emitted, then exit 1. `warn`: the same, but exit 0.",
        default="fail",
        choices=("fail", "warn"),
    ),
    Setting(
        "parallelism",
        "integer",
        "Parallelism",
        "How many connections are worked on at once.",
        default=8,
        minimum=1,
    ),
    Setting(
        "requests_per_second",
        "number",
        "Requests per second",
        "Limit of requests per second for each app; 10 is the limit of TikTok's Basic tier.",
        default=10,
        minimum=0.01,
    ),
    Setting(
        "request_timeout",
        "integer",
        "Request timeout",
        "Seconds: how long one request may take.",
        default=30,
        minimum=1,
    ),
    Setting(
        "api_version",
        "string",
        "API version",
        "Version of the Marketing API. The Accounts and TikTok One endpoints stay at v1.3.",
        default="v1.3",
        choices=("v1.3", "v2.0"),
    ),
    Setting(
        "long_term_token",
        "boolean",
        "Long-term token",
        "Ask for a token without a timer; `api_version` v2.0 only, where it is always sent.",
        default=True,
    ),
    Setting(
        "business_api_url",
        "string",
        "Business API URL",
        "Host of the Business API. `https`, or `http` on a loopback address.",
        default="https://business-api.tiktok.com",
    ),
    Setting(
        "login_kit_api_url",
        "string",
        "Login Kit API URL",
        "Host of the Login Kit API. `https`, or `http` on a loopback address.",
        default="https://open.tiktokapis.com",
    ),
    Setting(
        "tiktok_url",
        "string",
        "TikTok URL",
        "Host of the page on which TikTok account holders consent. `https`, or `http` on a "
        "loopback address.",
        default="https://www.tiktok.com",
    ),
    *SDK_SETTINGS,
)

#: The settings by name.
BY_NAME: dict[str, Setting] = {setting.name: setting for setting in SETTINGS}

#: The settings that an entry of `connections` may have, beside `name`.
PER_CONNECTION: dict[str, Setting] = {s.name: s for s in SETTINGS if s.per_connection}

#: The settings from which a chain of tokens starts.
SEEDS = ("auth_code", "refresh_token", "access_token")


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the tap's config."""
    # The SDK adds its own by itself, in more detail.
    own = [setting for setting in SETTINGS if setting not in SDK_SETTINGS]
    properties = {setting.name: setting.schema() for setting in own}
    entry = {name: _without_default(s.schema()) for name, s in PER_CONNECTION.items()}
    name = {"type": "string", "title": "Name", "description": "The connection's name."}
    properties["connections"]["items"] = {
        "type": "object",
        "properties": {"name": name, **entry},
        "required": ["name"],
    }
    return {"type": "object", "properties": properties}


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "default"}
