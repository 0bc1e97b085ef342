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
import unicodedata
from base64 import b32encode, b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What stands in place of a secret.
MASK = "***"

#: Shorter values are not looked for: masking every "abc" would make logs unreadable. Beside the
#: name of a secret setting they are masked all the same.
MIN_LENGTH = 6

_MAX_LENGTH = 8_192
#: Nothing of this length is found in a text by chance.
_UNLIKELY = 16

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
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]+")
_HEX_ESCAPE = re.compile(r"%[0-9A-F]{2}")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")
_URL_PASSWORD = re.compile(r"://[^/:@]*:([^/]+)@")

#: How many secrets a redactor knows at most; of more it forgets the oldest.
_MOST_VALUES = 100_000

#: The loggers of the libraries that handle what is sent.
_LOGGERS = (
    *("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.response"),
    *("urllib3.util.retry", "urllib3.http2.connection", "psycopg"),
)

# No message is so long; it bounds the work on an answer that is.
_WINDOW = 20_000
_MESSAGE_WINDOW = 2_000

#: What a token looks like that nobody has told us of.
_TOKEN = re.compile(r"(?=[^\s'\"]*[0-9])[^\s'\"]{28,}")
_SIGNS = re.compile(r"[\W_]+")
_RUN = re.compile(r"\S+")
_WORD = re.compile(
    r"[A-Z]{0,3}[a-z]{1,20}(?:[A-Z][a-z]{1,15}){0,3}|[A-Z]{1,20}|v?\d{1,2}|\d{3,20}"
    r"|(?![A-Za-z])[^\W\d_]{1,40}"
)
#: More digits than four ids have could be a secret in numbers: octal, binary, decimal.
_MOST_DIGITS = 80
_NUMBERED = re.compile(r"\S*\d\S*")
_MASKS = re.compile(r"\*\*\*(?:\s+\*\*\*)+")


@functools.cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Compile the patterns when they are first needed: a command that says nothing does not pay."""
    flags = re.VERBOSE | re.IGNORECASE | re.DOTALL
    return tuple(re.compile(pattern, flags) for pattern in _PATTERNS)


class Redactor:
    """Masks secrets in texts. May be used by many threads at once, and after a fork.

    There is no lock: each step is one operation of a dict or a set.
    """

    def __init__(self) -> None:
        # What was learned, oldest first.
        self._learned: dict[str, None] = {}
        self._values: set[str] = set()
        # The lengths of the secrets that begin with these six characters.
        self._lengths: dict[str, set[int]] = {}

    def learn(self, *values: str | None) -> None:
        """Mask these values from now on.

        Args:
            *values: Secrets. Of a URL only the password is one. None, values of fewer than
                `MIN_LENGTH` characters and what is far too long for a secret are passed over.
        """
        for value in values:
            if value and value not in self._learned and len(value) <= _MAX_LENGTH:
                for form in _forms(value):
                    self._values.add(form)
                    self._lengths.setdefault(form[:MIN_LENGTH], set()).add(len(form))
                self._learned[value] = None  # from here on another thread may rely on it
        if len(self._learned) > _MOST_VALUES:
            # A program that refreshes for years shall not grow.
            fresh = Redactor()
            fresh.learn(*list(self._learned)[_MOST_VALUES // 2 :])
            self.__dict__.update(vars(fresh))

    def redact(self, text: str) -> str:
        """Return *text* with every secret replaced by `***`."""
        text = self.mask_known(text)
        for pattern in _patterns():
            text = pattern.sub(rf"\g<keep>{MASK}", text)
        return text

    def mask_known(self, text: str) -> str:
        """Return *text* with the secrets that were learned replaced by `***`."""
        parts, done = [], 0
        for start, end in self._found(text):
            parts += [text[done:start], MASK]
            done = end
        return "".join([*parts, text[done:]])

    def finds_in(self, text: str) -> bool:
        """Whether a text has a secret in it, other than one as short as an everyday word."""
        return any(end - start >= _UNLIKELY for start, end in self._found(text))

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
    if _PLAIN.fullmatch(value):
        return {value} if len(value) >= MIN_LENGTH else set()  # all spellings are the same
    in_repr = value.replace("\\", "\\\\")
    forms = {value, in_repr, in_repr.replace("'", "\\'")}
    for _ in range(2):  # a repr in JSON in JSON
        forms |= {json.dumps(form)[1:-1] for form in forms}
    quoted = {quote(value), quote(value, safe=""), quote_plus(value)}
    forms |= quoted | {_HEX_ESCAPE.sub(lambda code: code[0].lower(), form) for form in quoted}
    return {form for form in forms if len(form) >= MIN_LENGTH}


#: All secrets that this process has come upon.
SECRETS = Redactor()


class RedactingFormatter(logging.Formatter):
    """Formats as another formatter does, and masks secrets in the outcome, tracebacks included."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text without secrets. Never fails."""
        # A formatter keeps its text of the traceback in the record, where the formatters of other
        # handlers find it: give it a record of its own.
        own = copy.copy(record)
        try:
            text = self.inner.format(own)
        except Exception:  # noqa: BLE001  (logging would print the raw arguments to stderr)
            text = f"{record.levelname} {record.name}: a log line that cannot be formatted"
        return SECRETS.redact(text)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Return the record's message alone without secrets; some handlers ask for it."""
        return SECRETS.redact(self.inner.formatMessage(record))


def install(logger: logging.Logger | None = None) -> None:
    """Mask secrets in all that a logger's handlers write. Doing it twice does no harm.

    Args:
        logger: Whose handlers; default the root logger, and the handler that Python falls back on
            when there is none.
    """
    handlers = list((logger or logging.getLogger()).handlers)
    if logger is None and logging.lastResort:
        handlers.append(logging.lastResort)
    for handler in handlers:
        if not isinstance(handler.formatter, RedactingFormatter):
            handler.setFormatter(RedactingFormatter(handler.formatter or logging.Formatter()))


def teach(*values: str | None) -> None:
    """Mask these values from now on in the logs of this process.

    Tokens without a prefix of their own, as those of advertisers are, look like nothing special:
    they must be known before they can stand in a traceback. A program that uses the library has
    handlers of its own, so the loggers that could come upon a secret are filtered.
    """
    SECRETS.learn(*values)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_mask_record)


def _mask_record(record: logging.LogRecord) -> bool:
    """Mask secrets in message, traceback and text attributes, before any handler gets them."""
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001  (handlers tell of a record that cannot be formatted)
        return True
    redacted = SECRETS.redact(message)
    if redacted != message:
        record.msg, record.args = redacted, ()
        for name, value in vars(record).items():
            if isinstance(value, str):  # a record factory may have rendered the message
                setattr(record, name, SECRETS.redact(value))
    if record.exc_info and record.exc_info[0] is not None:
        told = logging.Formatter().formatException(record.exc_info)
        record.exc_text = SECRETS.redact(told)
        if record.exc_text != told:
            record.exc_info = None
    return True


def clean(text: object, secrets: Iterable[str] = (), limit: int = 200) -> str:
    """Return a foreign text fit for a terminal, a log and a record: one line, no secrets.

    Args:
        text: A text from TikTok, or an exception; None becomes an empty text.
        secrets: Values that must not be in it, beside those that `teach` was told.
        limit: The most characters to return; a longer text ends with `…`.
    """
    if text is None:
        return ""
    redactor = Redactor()
    redactor.learn(*secrets)
    raw = str(text)
    line = redactor.redact(SECRETS.mask_known(_one_line(raw[:_WINDOW])))
    if len(raw) > _WINDOW:
        # The cut may have gone through a secret: leave out what may be its first half.
        longest = max((len(form) for value in secrets for form in _forms(value)), default=0)
        line = line[: max(len(line) - longest, 0)] + "…"
    return _cut(line, limit)


def clean_message(text: object, secrets: Iterable[str] = (), limit: int = 200) -> str:
    """Return an error message of TikTok's: its plain words and numbers.

    A message may echo what was sent, in any form and of any length. So whatever shares six letters
    or digits with a secret is masked, as it is, backwards or encoded, and so is all that is neither
    a word nor a number: nobody needs it, because each return code has a cause of our own.
    """
    if text is None:
        return ""
    line = unicodedata.normalize("NFKC", _one_line(str(text)[:_MESSAGE_WINDOW]))
    if sum(map(str.isdigit, line)) > _MOST_DIGITS:
        line = _NUMBERED.sub(MASK, line)
    line = _RUN.sub(_words, _mask_echoes(line, secrets))
    return _cut(_MASKS.sub(MASK, SECRETS.redact(line)), limit)


def _one_line(text: str) -> str:
    """Drop what steers a terminal, before masking: a secret may have it inside."""
    line = " ".join(_ANSI.sub("", text).split())
    return "".join(char for char in line if char.isprintable())


def _words(run: re.Match[str]) -> str:
    pieces = filter(None, _SIGNS.split(run[0]))
    return run[0] if all(map(_WORD.fullmatch, pieces)) else MASK


def echoes(text: str, secrets: Iterable[str]) -> bool:
    """Whether a text shares something with a secret, as it is, backwards or encoded."""
    return _mask_echoes(text, secrets) != text


def _mask_echoes(line: str, secrets: Iterable[str]) -> str:
    """Mask each run without a space that has a part of a secret, also one that signs split."""
    kept = [(low, at) for at, char in enumerate(line) for low in char.lower() if low.isalnum()]
    bare = "".join(char for char, _ in kept)
    if len(bare) < MIN_LENGTH:  # "OK", the message of nearly all answers
        return line
    # What is looked for has letters and digits only, so it cannot reach over a line's end.
    spellings = "\n".join(_spellings(secrets))
    hidden = {
        kept[place][1]
        for start in range(len(bare) - MIN_LENGTH + 1)
        if bare[start : start + MIN_LENGTH] in spellings
        for place in range(start, start + MIN_LENGTH)
    }
    return _RUN.sub(lambda run: run[0] if hidden.isdisjoint(range(*run.span())) else MASK, line)


def _spellings(secrets: Iterable[str]) -> Iterator[str]:
    """Yield the letters and digits, in lower case, of secrets in all forms that are looked for."""
    for secret in (whole[:_MESSAGE_WINDOW] for whole in secrets):
        raw = secret.encode("utf-8", "replace")
        forms = [secret, raw.hex(), "".join(map(str, raw))]
        # A part may begin at any of three, or five, offsets; its last signs may differ.
        forms += [b64encode(raw[offset:]).decode() for offset in range(3)]
        forms += [b32encode(raw[offset:]).decode() for offset in range(5)]
        for form in forms:
            bare = _SIGNS.sub("", form.lower())
            yield from (bare, bare[::-1])


def _cut(line: str, limit: int) -> str:
    return line if len(line) <= limit else line[: limit - 1] + "…"


def repeatable(text: str) -> str:
    """Return what a person typed as it may be repeated: printable, and nothing like a token."""
    return _TOKEN.sub(MASK, clean(text, limit=500))


def clean_id(text: object) -> str | None:
    """Return *text* if it looks like TikTok's id of a call, else None."""
    return text if isinstance(text, str) and _ID.fullmatch(text) else None
