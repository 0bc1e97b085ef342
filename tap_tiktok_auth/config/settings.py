"""The settings: one table from which schema, environment variables and documentation come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.platforms import BUSINESS, CONSENT_HOST, LOGIN_KIT

if TYPE_CHECKING:
    from collections.abc import Collection

#: Prefix of the environment variables that carry settings.
ENV_PREFIX = "TAP_TIKTOK_AUTH_"

Kind = Literal["string", "integer", "number", "boolean", "strings", "objects", "object"]

_JSON_TYPES: dict[Kind, dict[str, Any]] = {
    "strings": {"type": ["array", "null"], "items": {"type": "string"}},
    "objects": {"type": ["array", "null"]},
}
_SPELLINGS = {"api": "API", "id": "ID", "ids": "IDs", "uri": "URI", "url": "URL"}


class Setting(NamedTuple):
    """One setting.

    Attributes:
        name: Its name in the config; the environment variable is `TAP_TIKTOK_AUTH_<NAME>`.
        description: What it means, with units.
        label: A short title; by default made from the name.
        secret: Whether its value must never be shown.
        choices: The allowed values, if they are few.
        minimum: The smallest allowed number.
        per_connection: Whether an entry of `connections` may have it.
    """

    name: str
    description: str
    kind: Kind = "string"
    label: str = ""
    default: Any = None
    secret: bool = False
    choices: Collection[str] = ()
    minimum: float | None = None
    per_connection: bool = False

    @property
    def env_var(self) -> str:
        """The environment variable that sets it."""
        return ENV_PREFIX + self.name.upper()

    @property
    def title(self) -> str:
        """The label, or the name written as one."""
        words = " ".join(_SPELLINGS.get(word, word) for word in self.name.split("_"))
        return self.label or words[0].upper() + words[1:]

    def schema(self) -> dict[str, Any]:
        """Return its JSON schema, with the annotations that the Singer SDK reads."""
        kind = _JSON_TYPES.get(self.kind, {"type": [self.kind, "null"]})
        schema = {**kind, "title": self.title, "description": self.description}
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
        "TikTok token system: `marketing` (advertisers), `accounts` (TikTok account holders), "
        "`creator_marketplace` (TikTok One brands), `creator` (Creator Marketplace creators) or "
        "`login_kit` (TikTok for Developers).",
        default="marketing",
        choices=APIS,
    ),
    Setting(
        "app_id",
        "App id; for Login Kit the client key.",
    ),
    Setting(
        "app_secret",
        "App secret; for Login Kit the client secret.",
        secret=True,
    ),
    Setting(
        "auth_code",
        "Seed: the code from the callback, URL-decoded once. Exchanged once; harmless afterwards.",
        label="Authorization code",
        secret=True,
    ),
    Setting(
        "refresh_token",
        "Seed: a refresh token that you already hold.",
        secret=True,
    ),
    Setting(
        "access_token",
        "Seed: an access token that you already hold. May stand beside `refresh_token`.",
        secret=True,
    ),
    Setting(
        "grant_type",
        "`authorization_code` for a person's consent; `client_credentials` (Login Kit only) for a "
        "token of the app itself, which needs no seed.",
        default="authorization_code",
        choices=("authorization_code", "client_credentials"),
    ),
    Setting(
        "redirect_uri",
        "The callback address as registered with TikTok; sent by `accounts`, `creator` and "
        "`login_kit`.",
    ),
    Setting(
        "code_verifier",
        "The verifier of the authorization request; Login Kit desktop and mobile apps only.",
        label="PKCE code verifier",
        secret=True,
    ),
    Setting(
        "advertiser_ids",
        "Ad accounts to use where TikTok does not allow their discovery, such as the sandbox; "
        "`marketing` only.",
        kind="strings",
    ),
)

#: What the Singer SDK reads, for the capabilities that the tap has. The commands check these too,
#: so that a setting is as good for them as for the tap.
SDK_SETTINGS = (
    Setting(
        "stream_maps",
        "Stream maps of the Singer SDK: by stream, what to rename, compute, filter or leave out.",
        kind="object",
    ),
    Setting(
        "stream_map_config",
        "Values that the expressions of `stream_maps` find in `config`.",
        kind="object",
    ),
    Setting(
        "faker_config",
        "`seed` and `locale` of `fake` in `stream_maps`; needs the package faker beside the tap.",
        kind="object",
    ),
    Setting(
        "flattening_enabled",
        "Write nested properties as columns; needs `flattening_max_depth`.",
        kind="boolean",
    ),
    Setting(
        "flattening_max_depth",
        "How many levels are flattened.",
        kind="integer",
        label="Flattening: greatest depth",
        minimum=0,
    ),
    Setting(
        "flattening_max_key_length",
        "Longest name of a flattened property; parts of longer ones are shortened.",
        kind="integer",
        label="Flattening: longest key",
        minimum=1,
    ),
    Setting(
        "flattening_separator",
        "What stands between the parts of a flattened property's name.",
        label="Flattening: separator",
    ),
)

SETTINGS: tuple[Setting, ...] = (
    *(setting._replace(per_connection=True) for setting in _CONNECTION_SETTINGS),
    Setting(
        "connections",
        "Several connections: a list of objects with `name` and any of the settings above. What "
        "an entry omits it takes from the top level, except for the seeds.",
        kind="objects",
    ),
    Setting(
        "token_store",
        "Where tokens are kept: `sqlite:////absolute/path.db`, or `postgresql://…` to share them "
        "between machines. Default: a SQLite file in the user's data folder.",
        secret=True,
    ),
    Setting(
        "token_store_key",
        "Fernet key of the token store, made by `tiktok-auth keygen`. Several, comma separated: "
        "the first encrypts, all decrypt. Default for SQLite: a key file, mode 0600, in the "
        "user's config folder.",
        secret=True,
    ),
    Setting(
        "refresh_margin",
        "Seconds: a token is refreshed when less is left, but never with more than half of its "
        "own lifetime left.",
        kind="integer",
        default=1800,
        minimum=0,
    ),
    Setting(
        "consent_warning_days",
        "Days: warn when a consent ends sooner.",
        kind="integer",
        default=30,
        minimum=0,
    ),
    Setting(
        "on_error",
        "`fail`: emit all that can be emitted, then exit 1. `warn`: the same, but exit 0.",
        default="fail",
        choices=("fail", "warn"),
    ),
    Setting(
        "parallelism",
        "How many connections are worked on at once.",
        kind="integer",
        default=8,
        minimum=1,
    ),
    Setting(
        "requests_per_second",
        "Limit of requests per second for each app; 10 is the limit of TikTok's Basic tier.",
        kind="number",
        default=10,
        minimum=0.01,
    ),
    Setting(
        "request_timeout",
        "Seconds: how long one request may take.",
        kind="integer",
        default=30,
        minimum=1,
    ),
    Setting(
        "api_version",
        "Version of the Marketing API. The Accounts and TikTok One endpoints stay at v1.3.",
        default="v1.3",
        choices=("v1.3", "v2.0"),
    ),
    Setting(
        "long_term_token",
        "Ask for a token without a timer; `api_version` v2.0 only, where it is always sent.",
        kind="boolean",
        label="Long-term token",
        default=True,
    ),
    Setting(
        "business_api_url",
        "Host of the Business API. `https`, or `http` on a loopback address.",
        default=BUSINESS.own_hosts[0],
    ),
    Setting(
        "login_kit_api_url",
        "Host of the Login Kit API. `https`, or `http` on a loopback address.",
        label="Login Kit API URL",
        default=LOGIN_KIT.own_hosts[0],
    ),
    Setting(
        "tiktok_url",
        "Host of the page on which TikTok account holders consent. `https`, or `http` on a "
        "loopback address.",
        label="TikTok URL",
        default=CONSENT_HOST,
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
    # An entry has no defaults: they would hide what the top level lends.
    entry = {name: s._replace(default=None).schema() for name, s in PER_CONNECTION.items()}
    name = {"type": "string", "title": "Name", "description": "The connection's name."}
    properties["connections"]["items"] = {
        "type": "object",
        "properties": {"name": name, **entry},
        "required": ["name"],
    }
    return {"type": "object", "properties": properties}
