"""TikTok's published return codes and error names, and what each means to an operator.

Numbers and names are those of TikTok's own SDK (`NumericErrorCodes`). The meanings follow TikTok
docs: "Return codes" (1737172488964097) for the Business API, the error pages of Login Kit for the
rest; where TikTok publishes a name only, the meaning is read from the name. The sections stand in
the order of the tree in `errors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis.return_code_names import CONTENT_CODES, SERVICE_CODES
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    ConfigurationError,
    GrantRejected,
    PermissionMissing,
    RateLimited,
    RequestRefused,
    TryAgainLater,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_tiktok_auth.errors import TikTokAuthError

LOGIN = "Run: tiktok-auth login {connection}"
CORRECT_APP = "Correct settings app_id and app_secret."
ADD_PERMISSION = f"Add the permission to the app in TikTok's portal, then authorise again. {LOGIN}"
WAIT = "Wait five minutes, then run again."
SLOW_DOWN = f"{WAIT} If it happens often, lower setting requests_per_second."
REPORT = "If it stays, tell TikTok's support the request id."
SERVICE_FAILED = "a service inside TikTok failed"

#: OK, and "partially successful".
SUCCESS_CODES = frozenset({0, 20001})


@dataclass(frozen=True)
class Meaning:
    """What an answer means.

    Attributes:
        kind: The error to raise.
        cause: What happened, in plain words.
        next_step: What the operator does next; `{connection}` stands for the connection's name.
    """

    kind: type[TikTokAuthError]
    cause: str
    next_step: str


@dataclass(frozen=True)
class ReturnCode(Meaning):
    """A return code of the Business API.

    Attributes:
        code: The number in the answer.
        name: TikTok's name for it; empty where TikTok's documentation gives none.
    """

    code: int
    name: str


_Rows = dict[int, tuple[str, str]]

_SECTIONS: tuple[tuple[type[TikTokAuthError], str, _Rows], ...] = (
    (
        ConfigurationError,
        CORRECT_APP,
        {
            40101: ("INVALID_PARTNER", "app id and secret do not belong together"),
            40113: (
                "APP_FORBIDDEN",
                "app id and secret do not belong together, or TikTok has blocked the app",
            ),
        },
    ),
    (
        ConfigurationError,
        "Correct setting api_version.",
        {
            40006: ("VERSION_ERROR", "this call does not exist in this version of the API"),
            40051: ("INVALID_API_VERSION", "TikTok does not know this version of the API"),
        },
    ),
    (
        ConfigurationError,
        "Correct setting business_api_url.",
        {
            40010: ("UNSUPPORTED_DOMAIN", "this host does not serve this version of the API"),
            40400: ("ROUTE_NOT_FOUND", "this host does not know the address that was called"),
        },
    ),
    (
        AuthorizationRequired,
        LOGIN,
        {
            40104: ("EMPTY_ACCESS_TOKEN", "TikTok found no access token in the request"),
            40106: ("INVALID_CORE_USER", "the user who authorised is not valid any more"),
            40112: ("PASSWORD_ERROR", "TikTok reports a wrong password"),
            40114: ("ADVERTISER_LOGOUT", "the advertiser has logged out"),
            40120: ("TIKTOK_USER_NOT_LOGGED_IN", "the TikTok user is not logged in"),
            40309: ("REQUIRE_LOGIN", "TikTok demands a login"),
        },
    ),
    (
        GrantRejected,
        LOGIN,
        {
            40103: ("REFRESH_TOKEN_EXPIRE", "the refresh token has expired"),
            40107: ("INVALID_REFRESH_TOKEN", "TikTok does not accept the refresh token"),
            40109: ("ERROR_AES_DECIPHER", "TikTok cannot decipher the credential, it is damaged"),
            40110: ("AUTH_CODE_ERROR", "the authorization was cancelled, used or has expired"),
            40115: ("AUTH_TIMESTAMP_EXPIRE", "the authorization has expired"),
            40131: ("SCOPE_TT_USER_OAUTH_FAILED", "the authorization by the TikTok user failed"),
        },
    ),
    (
        AccessTokenRejected,
        LOGIN,
        {
            40102: ("ACCESS_TOKEN_EXPIRE", "the access token has expired"),
            40105: ("INVALID_ACCESS_TOKEN", "the access token is wrong or was revoked"),
        },
    ),
    (
        PermissionMissing,
        ADD_PERMISSION,
        {
            40001: ("PERMISSION_ERROR", "the token lacks the permission for this call"),
            40003: ("FORBIDDEN", "TikTok forbids this call"),
            40117: ("APP_METHOD_FORBIDDEN", "the app may not use this call"),
            40130: ("SCOPE_NOT_AUTHORIZED", "the person who authorised did not grant the scope"),
        },
    ),
    (
        PermissionMissing,
        "Ask TikTok, or the owner of the account, to change that.",
        {
            40118: ("NOT_IN_WHITELIST", "the app is not on TikTok's allow-list for this call"),
            40119: (
                "NOT_SAME_IDENTITY",
                "developer and advertiser do not belong to the same company",
            ),
            40121: ("NOT_A_TCM_CREATOR", "the account is no Creator Marketplace creator"),
            40124: ("DEVELOPER_REJECTED", "TikTok has not approved the developer's profile"),
            40125: ("DEVELOPER_NO_PERMISSION", "the developer lacks the permission for this call"),
        },
    ),
    (
        RateLimited,
        SLOW_DOWN,
        {
            40016: ("BIZ_FC_ERROR", "too many requests"),
            40100: ("REQUEST_TOO_FREQUENT", "too many requests by this app"),
            40132: ("REQUEST_FREQUENCY_LIMITED", "too many requests with the same value"),
            40133: ("", "too many requests for this advertiser"),
            51021: ("", "too many requests"),
            61000: ("TOO_MANY_REQUESTS_BL", "too many requests"),
        },
    ),
    (
        TryAgainLater,
        WAIT,
        {
            40201: ("TASK_NOT_READY", "TikTok has not finished a task"),
            40202: ("WRITE_CONFLICT", "two changes at TikTok got in each other's way"),
            40700: ("RPC_VALIDATION_ERROR", "a service inside TikTok failed its own check"),
            60001: ("MAINTENANCE", "TikTok is under maintenance"),
        },
    ),
    (
        RequestRefused,
        "In the sandbox set advertiser_ids.",
        {
            40008: ("NOT_IMPL", "TikTok does not offer this call here, such as in the sandbox"),
            40009: ("UNSUPPORTED_IN_SANDBOX", "the sandbox does not know a parameter"),
            40013: ("SANDBOX_ADV_NOT_EXIST", "the account does not exist in the sandbox"),
            40014: ("INVALID_CLUSTER", "the sandbox does not offer this call"),
        },
    ),
    (
        RequestRefused,
        "Check setting advertiser_ids.",
        {
            40300: ("ADVERTISER_NOT_EXIST", "the advertiser does not exist"),
            40301: ("ADVERTISER_ROLE_ERROR", "the advertiser does not match the token"),
            40302: ("CUSTOMER_ADVERTISER_NOT_EXIST", "the customer's advertiser does not exist"),
        },
    ),
    (
        RequestRefused,
        "Check that setting api is the token system that the credentials belong to.",
        {
            40108: ("INVALID_GRANT_TYPE", "TikTok does not accept the grant type"),
            70001: ("INVALID_BIZ_AUTH_TYPE", "TikTok does not accept the kind of authorization"),
        },
    ),
    (
        RequestRefused,
        REPORT,
        {
            40000: ("INVALID_PARAMS", "TikTok finds the request invalid"),
            40002: ("PARAM_ERROR", "TikTok finds a parameter wrong"),
            40007: ("NOT_EXIST", "what the request is about does not exist"),
            40011: ("ID_LIMIT_EXCEED", "too many ids in one request"),
            40012: ("NO_UPDATE", "there is nothing to change"),
            40050: ("DUPLICATED_REQUEST", "TikTok got the same request twice"),
            40061: ("INVALID_BATCH_SIZE", "the batch has a wrong size"),
            40063: ("INVALID_PARTNER_NAME", "TikTok does not know the partner's name"),
            40116: ("AUTH_SIG_ERROR", "the signature of the authorization is wrong"),
            40122: ("TCM_CREATOR_INVALID_COUNTRY", "the creator's country is not supported"),
            40126: ("GARM_SINGLE_AUTH_FAILED", "brand safety: the authorization failed"),
            40127: ("GARM_DOUBLE_AUTH_FAILED", "brand safety: the authorization failed"),
            40128: ("GARM_SINGLE_VALIDATE_ERROR", "brand safety: the check failed"),
            40129: ("GARM_DOUBLE_VALIDATE_ERROR", "brand safety: the check failed"),
            40200: ("GENERAL_TASK_ERROR", "a task at TikTok failed"),
            40900: ("SIGNATURE_ERROR", "the signature is wrong"),
            41000: ("BLOCKED", "TikTok blocks the country of this machine's address"),
            41001: ("INTERFACE_OFFLINE", "TikTok has withdrawn this call"),
            41002: ("FIELDS_OFFLINE", "TikTok has withdrawn a field"),
        },
    ),
)


def _rows() -> Iterator[ReturnCode]:
    for kind, next_step, rows in _SECTIONS:
        for code, (name, cause) in rows.items():
            yield ReturnCode(kind, cause, next_step, code, name)
    for code, name in CONTENT_CODES.items():
        yield ReturnCode(RequestRefused, "TikTok refuses the content of an ad", REPORT, code, name)
    for code, name in SERVICE_CODES.items():
        yield ReturnCode(TryAgainLater, SERVICE_FAILED, WAIT, code, name)


#: The errors among TikTok's return codes, by number.
RETURN_CODES: Mapping[int, ReturnCode] = MappingProxyType({row.code: row for row in _rows()})

#: Login Kit's error names: `error` of its OAuth endpoints, `code` of its API.
LOGIN_KIT_ERRORS: Mapping[str, Meaning] = MappingProxyType(
    {
        "invalid_client": Meaning(
            ConfigurationError, "client key and client secret do not belong together", CORRECT_APP
        ),
        "unauthorized_client": Meaning(
            ConfigurationError, "the app may not use this kind of authorization", CORRECT_APP
        ),
        "access_denied": Meaning(AuthorizationRequired, "the person declined", LOGIN),
        "invalid_grant": Meaning(GrantRejected, "TikTok does not accept the authorization", LOGIN),
        "access_token_invalid": Meaning(
            AccessTokenRejected, "the access token is wrong, has expired or was revoked", LOGIN
        ),
        "invalid_scope": Meaning(
            PermissionMissing, "the app does not have a scope that was asked for", ADD_PERMISSION
        ),
        "scope_not_authorized": Meaning(
            PermissionMissing, "the person who authorised did not grant the scope", LOGIN
        ),
        "scope_permission_missed": Meaning(
            PermissionMissing, "the app lacks the permission for a field", ADD_PERMISSION
        ),
        "rate_limit_exceeded": Meaning(RateLimited, "too many requests", SLOW_DOWN),
        "server_error": Meaning(TryAgainLater, SERVICE_FAILED, WAIT),
        "temporarily_unavailable": Meaning(TryAgainLater, SERVICE_FAILED, WAIT),
        "internal_error": Meaning(TryAgainLater, SERVICE_FAILED, WAIT),
        "invalid_request": Meaning(
            RequestRefused,
            "TikTok finds the request invalid",
            "Check settings redirect_uri and code_verifier.",
        ),
        "invalid_param": Meaning(RequestRefused, "TikTok finds a parameter wrong", REPORT),
        "invalid_params": Meaning(RequestRefused, "TikTok finds a parameter wrong", REPORT),
        "unsupported_grant_type": Meaning(
            RequestRefused, "TikTok does not accept the grant type", REPORT
        ),
        "unsupported_response_type": Meaning(
            RequestRefused, "TikTok does not accept the response type", REPORT
        ),
    }
)
