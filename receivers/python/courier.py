"""Verifies webhooks of Courier and of GitBook. One file that needs Python 3.8 or later and nothing else: copy it.

    event = verify(raw_body, request.headers["X-GitBook-Signature"], [os.environ["WEBHOOK_SECRET"]])

The body must be the bytes as they came. JSON that was parsed and written again does not verify.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from typing import Any, Dict, List, Optional, Sequence, TypedDict, Union, cast

# How far, in seconds, the time of a signature may be from the receiver's clock: 5 minutes.
DEFAULT_TOLERANCE = 300

_MESSAGES = {
    "no_secret": "there is no secret to verify with",
    "missing": "the signature is missing",
    "malformed": "the signature is not of the form that its header has",
    "mismatch": "the signature does not match",
    "too_old": "the signature is too old",
    "too_new": "the signature's time is in the future",
    "not_an_event": "the body is signed, and is not one JSON object",
}

# A time of 12 digits is in the year 33658.
_TIME = re.compile(r"[0-9]{1,12}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class SignatureError(Exception):
    """Says in code why a webhook was refused: no_secret is the receiver's own mistake, everything else the sender's."""

    def __init__(self, code: str) -> None:
        super().__init__(_MESSAGES[code])
        self.code = code


class Event(TypedDict, total=False):
    """An event of any type. GitBook adds types and members over time."""

    eventId: str
    type: str
    installationId: str
    spaceId: str
    siteId: str


class Visitor(TypedDict, total=False):
    anonymousId: str
    cookies: Dict[str, str]
    userAgent: str
    ip: str
    language: str


class SiteView(Event, total=False):
    """The event site_view."""

    siteSpaceId: str
    pageId: str
    visitor: Visitor
    url: str
    referrer: str


class Feedback(TypedDict, total=False):
    rating: str  # bad, ok or good
    comment: str


class PageFeedback(Event, total=False):
    """The event page_feedback."""

    pageId: str
    feedback: Feedback
    visitor: Visitor
    url: str
    referrer: str


class User(TypedDict, total=False):
    object: str
    id: str
    displayName: str
    email: str
    photoURL: str
    urls: Dict[str, str]


class SpaceContentUpdated(Event, total=False):
    """The event space_content_updated."""

    revisionId: str
    updatedBy: List[User]


class SpaceGitSync(Event, total=False):
    """The events space_gitsync_started and space_gitsync_completed."""

    state: str  # success or failure, of space_gitsync_completed
    revisionId: str
    commitId: str


class SpaceVisibilityUpdated(Event, total=False):
    """The event space_visibility_updated."""

    previousVisibility: str
    visibility: str


class Installation(Event, total=False):
    """The events installation_setup and installation_deleted, and those of a space and a site."""

    status: str  # active, pending or paused
    previous: Dict[str, Any]


def verify(
    body: bytes,
    signature: Optional[str],
    secrets: Union[str, Sequence[str]],
    tolerance: float = DEFAULT_TOLERANCE,
    now: Optional[float] = None,
) -> Event:
    """Returns the event of a webhook whose X-GitBook-Signature verifies, and raises a SignatureError for any other.

    While a secret is replaced, give the old one and the new one: any v1 of the header may match any of them.
    tolerance is in seconds, and so is now, which is the machine's clock by default.
    """
    verify_bytes(body, signature, secrets, tolerance, now)
    return _parse(body)


def verify_bytes(
    body: bytes,
    signature: Optional[str],
    secrets: Union[str, Sequence[str]],
    tolerance: float = DEFAULT_TOLERANCE,
    now: Optional[float] = None,
) -> None:
    """Like verify, for a body that is not an event, such as the one of a fetch delivery."""
    keys = _usable(secrets)
    if not signature or not signature.strip():
        raise SignatureError("missing")
    times, macs = [], []
    for element in signature.split(","):
        name, separator, value = element.strip(" \t").partition("=")
        if separator and name == "t":
            times.append(value)
        elif separator and name == "v1" and _DIGEST.fullmatch(value):
            macs.append(bytes.fromhex(value))
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not macs:
        raise SignatureError("malformed")
    _compare(keys, times[0] + ".", body, macs)
    _check_time(int(times[0]), tolerance, now)


def verify_standard(
    body: bytes,
    webhook_id: Optional[str],
    timestamp: Optional[str],
    signature: Optional[str],
    secrets: Union[str, Sequence[str]],
    tolerance: float = DEFAULT_TOLERANCE,
    now: Optional[float] = None,
) -> Event:
    """Returns the event of a webhook whose webhook-signature verifies, as the Standard Webhooks specification has it.

    Unlike GitBook's own signature, it covers the id, by which duplicates are dropped.
    """
    keys = _usable(secrets)
    if not webhook_id or not timestamp or not signature:
        raise SignatureError("missing")
    macs = []
    for element in signature.split(" "):
        version, _, value = element.partition(",")
        try:
            mac = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            continue
        if version == "v1" and len(mac) == 32:
            macs.append(mac)
    if not _TIME.fullmatch(timestamp) or not macs:
        raise SignatureError("malformed")
    _compare(keys, f"{webhook_id}.{timestamp}.", body, macs)
    _check_time(int(timestamp), tolerance, now)
    return _parse(body)


def _usable(secrets: Union[str, Sequence[str]]) -> List[bytes]:
    # A text is a sequence too, and each of its characters would be a key that anyone can guess.
    if isinstance(secrets, str):
        secrets = [secrets]
    keys = [secret.encode() for secret in secrets if secret]
    if not keys:
        raise SignatureError("no_secret")
    return keys


def _compare(keys: List[bytes], prefix: str, body: bytes, macs: List[bytes]) -> None:
    # Every signature is compared with that of every secret, each in constant time.
    matched = False
    for key in keys:
        want = hmac.new(key, prefix.encode() + body, hashlib.sha256).digest()
        for mac in macs:
            matched = hmac.compare_digest(mac, want) or matched
    if not matched:
        raise SignatureError("mismatch")


def _check_time(sent_at: int, tolerance: float, now: Optional[float]) -> None:
    # The time is judged last: too_old and too_new are said of genuine signatures only.
    age = (time.time() if now is None else now) - sent_at
    if age > tolerance:
        raise SignatureError("too_old")
    if -age > tolerance:
        raise SignatureError("too_new")


def _parse(body: bytes) -> Event:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise SignatureError("not_an_event") from None
    if not isinstance(event, dict):
        raise SignatureError("not_an_event")
    return cast(Event, event)
