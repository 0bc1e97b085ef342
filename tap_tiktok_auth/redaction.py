"""Keeping secrets out of logs and messages, and foreign texts fit to be shown.

Two nets, because each has holes: values that are known to be secret are masked wherever they
stand, and whatever stands beside a name such as `secret=` is masked whether it is known or not.
"""

from __future__ import annotations

import copy
import functools
import json
import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What stands in place of a secret.
MASK = "***"

#: Shorter values are not looked for: masking every "abc" would make logs unreadable. Beside the
#: name of a secret setting they are masked all the same.
MIN_LENGTH = 6

# Before a name may stand an escape: `%3Fsecret`, `\r\nAccess-Token`.
_ESCAPE = r"(?<=%[0-9A-F]{2})|(?<=\\[nrt])"
# Names whose values are secret, in the spellings of settings, headers and environment variables.
_NAME = rf"""(?:
    (?:(?<![A-Za-z0-9])|{_ESCAPE})(?:
        (?:access|refresh)[-_]?token | secret | (?:client|app)[-_]?secret | auth[-_]?code
        | code[-_]?verifier | authorization | token[-_]store[-_]key | (?:pg|ssl)?password
    )
    | (?:(?<![\w.-])|{_ESCAPE})token
)"""
# A space, a quote or a backslash ends a value that stands without quotes, also inside of JSON.
_BARE = r"""[^\s&"'<>\\]"""
_HAS_DIGIT = r"""(?=[^\d\s&"'<>\\]{0,99}\d)"""

# Each pattern keeps its group `keep` and loses what follows.
_PATTERNS = (
    # postgresql://user:password@host
    r"""(?P<keep>://[^\s/:@"']*:)[^\s/"'<>]+(?=@)""",
    # "access_token": "…", 'secret': '…', secret='…', and JSON inside of JSON
    rf"""(?P<keep>{_NAME}(?:\\*["'])?\s*[:=]\s*[bu]?(?P<quote>\\*["']))
        (?:(?!(?<!\\)(?P=quote)).)+""",
    # ?secret=…&access_token=…, also URL-quoted
    rf"""(?P<keep>{_NAME}(?:=|%3D))(?!(?:None|null|true|false)\b){_BARE}+""",
    # Access-Token: …, Authorization: Bearer …
    rf"""(?P<keep>{_NAME}:\s*(?:(?:Bearer|Basic)\s+)?)
        (?:{_HAS_DIGIT}{_BARE}{{{MIN_LENGTH},}}|{_BARE}{{16,}})""",
    rf"""(?P<keep>Bearer\s+){_BARE}{{16,}}""",
    # code=… in a callback's address; elsewhere an authorization code differs from a return code
    # (code=40110, "code": "access_token_invalid") by its length and its mixture of characters
    rf"""(?P<keep>[?&]code=)(?!\d{{1,8}}\b){_BARE}{{4,}}""",
    rf"""(?P<keep>(?:(?<![\w.-])|{_ESCAPE})code(?:\\*["'])?\s*(?:[:=]|%3D)\s*(?:\\*["'])?)
        {_HAS_DIGIT}(?!\d+\b){_BARE}{{16,}}""",
    # TikTok docs: tokens of the Accounts API and of Login Kit begin with act., rft. or clt.
    rf"""(?P<keep>\b|{_ESCAPE})(?:act|rft|clt)\.[\w.!*~-]{{12,}}""",
)

_ANSI = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\].*?(?:\x07|\x1b\\|$)", re.DOTALL)
_ID = re.compile(r"[A-Za-z0-9_.{}-]{1,64}")
_HEX_ESCAPE = re.compile(r"%[0-9A-F]{2}")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")
_URL_PASSWORD = re.compile(r"://[^/:@]*:([^/]+)@")

# No message is so long; it bounds the work on an answer that is.
_WINDOW = 20_000


@functools.cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Compile the patterns when they are first needed: a command that says nothing does not pay."""
    flags = re.VERBOSE | re.IGNORECASE | re.DOTALL
    return tuple(re.compile(pattern, flags) for pattern in _PATTERNS)


class Redactor:
    """Masks secrets in texts. May be used by many threads at once."""

    def __init__(self) -> None:
        # Each change is one step, so that threads need no lock, which a fork might leave locked.
        self._values: set[str] = set()
        # The lengths of the secrets that begin with these six characters.
        self._lengths: dict[str, set[int]] = {}

    def learn(self, *values: str | None) -> None:
        """Mask these values from now on.

        Args:
            *values: Secrets. Of a URL only the password is one. None and values of fewer than
                `MIN_LENGTH` characters are passed over.
        """
        forms = [form for value in values if value for form in _forms(value)]
        for form in forms:
            self._values.add(form)
            self._lengths.setdefault(form[:MIN_LENGTH], set()).add(len(form))

    def redact(self, text: str) -> str:
        """Return *text* with every secret replaced by `***`."""
        text = self._mask_known(text)
        for pattern in _patterns():
            text = pattern.sub(rf"\g<keep>{MASK}", text)
        return text

    def _mask_known(self, text: str) -> str:
        parts, done = [], 0
        for start, end in self._found(text):
            parts += [text[done:start], MASK]
            done = end
        return "".join([*parts, text[done:]])

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where secrets stand; spans of secrets that overlap are joined."""
        span: tuple[int, int] | None = None
        for start in range(len(text) - MIN_LENGTH + 1 if self._values else 0):
            lengths = self._lengths.get(text[start : start + MIN_LENGTH])
            for length in sorted(lengths, reverse=True) if lengths else ():
                if text[start : start + length] not in self._values:
                    continue
                if span and start < span[1]:
                    span = (span[0], max(span[1], start + length))
                else:
                    if span:
                        yield span
                    span = (start, start + length)
                break
        if span:
            yield span


def _forms(value: str) -> set[str]:
    """The spellings of a secret in URLs, in JSON and in Python's notation."""
    if _URL.match(value):
        password = _URL_PASSWORD.search(value)
        return _forms(password[1]) | _forms(unquote(password[1])) if password else set()
    in_repr = value.replace("\\", "\\\\")
    forms = {value, in_repr, in_repr.replace("'", "\\'")}
    for _ in range(2):  # a repr in JSON in JSON
        forms |= {json.dumps(form)[1:-1] for form in forms}
    quoted = {quote(value), quote(value, safe=""), quote_plus(value)}
    forms |= quoted | {_HEX_ESCAPE.sub(lambda code: code[0].lower(), form) for form in quoted}
    return {form for form in forms if len(form) >= MIN_LENGTH}


class RedactingFormatter(logging.Formatter):
    """Formats as another formatter does, and masks secrets in the outcome, tracebacks included."""

    def __init__(self, inner: logging.Formatter, redactor: Redactor) -> None:
        super().__init__()
        self.inner = inner
        self.redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text without secrets. Never fails."""
        # A formatter keeps its text of the traceback in the record, where the formatters of other
        # handlers find it: give it a record of its own.
        own = copy.copy(record)
        try:
            text = self.inner.format(own)
        except Exception:  # noqa: BLE001  (logging would print the raw arguments to stderr)
            text = f"{record.levelname} {record.name}: a log line that cannot be formatted"
        return self.redactor.redact(text)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Return the record's message alone without secrets; some handlers ask for it."""
        return self.redactor.redact(self.inner.formatMessage(record))


def install(redactor: Redactor, logger: logging.Logger | None = None) -> None:
    """Mask secrets in all that a logger's handlers write. Doing it twice does no harm.

    Args:
        redactor: What is secret.
        logger: Whose handlers; default the root logger, and the handler that Python falls back on
            when there is none.
    """
    root = logging.getLogger()
    handlers = list((logger or root).handlers)
    if logger in {None, root} and logging.lastResort:
        handlers.append(logging.lastResort)
    for handler in handlers:
        inner = handler.formatter or logging.Formatter()
        if not (isinstance(inner, RedactingFormatter) and inner.redactor is redactor):
            handler.setFormatter(RedactingFormatter(inner, redactor))


def teach(*values: str | None) -> None:
    """Mask these values from now on in all that the root logger's handlers write.

    Tokens without a prefix of their own, as those of advertisers are, look like nothing special:
    they must be known before they can stand in a traceback.
    """
    handlers = [*logging.getLogger().handlers, *filter(None, [logging.lastResort])]
    for redactor in {getattr(handler.formatter, "redactor", None) for handler in handlers}:
        if isinstance(redactor, Redactor):
            redactor.learn(*values)


def clean(text: object, secrets: Iterable[str] = (), limit: int = 200) -> str:
    """Return a foreign text fit for a terminal, a log and a record: one line, no secrets.

    Args:
        text: A text from TikTok, or an exception; None becomes an empty text.
        secrets: Values that must not be in it.
        limit: The most characters to return; a longer text ends with `…`.
    """
    if text is None:
        return ""
    redactor = Redactor()
    redactor.learn(*secrets)
    raw = str(text)
    # Dropping comes before masking: a secret with an invisible character inside is still one.
    line = " ".join(_ANSI.sub("", raw[:_WINDOW]).split())
    line = redactor.redact("".join(char for char in line if char.isprintable()))
    if len(raw) > _WINDOW:
        # The cut may have gone through a secret: leave out what may be its first half.
        longest = max((len(form) for value in secrets for form in _forms(value)), default=0)
        line = line[: max(len(line) - longest, 0)] + "…"
    return line if len(line) <= limit else line[: limit - 1] + "…"


def clean_id(text: object) -> str | None:
    """Return *text* if it looks like TikTok's id of a call, else None."""
    return text if isinstance(text, str) and _ID.fullmatch(text) else None
