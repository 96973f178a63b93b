from __future__ import annotations

import base64

import pytest

from memberhook.core.errors import RequestRejected, UsageError
from memberhook.intake import signatures as standard_webhooks
from memberhook.intake.signatures import Signature

# What Standard Webhooks' own libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, TIME, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

KEY = standard_webhooks.secret_bytes(SECRET)
OTHER = bytes(range(32))


def check(
    signatures: str = SIGNATURE,
    *,
    id: str = ID,
    timestamp: str = str(TIME),
    body: bytes = BODY,
    secrets: tuple[bytes, ...] = (KEY,),
    now: float = TIME,
) -> bytes:
    return standard_webhooks.check(Signature(id, timestamp, signatures), body, secrets, now)


def refusal(**values: object) -> tuple[int, str]:
    with pytest.raises(RequestRejected) as caught:
        check(**values)  # type: ignore[arg-type]
    return caught.value.status, caught.value.code


def test_the_published_example() -> None:
    assert standard_webhooks.sign(KEY, ID, str(TIME), BODY) == SIGNATURE
    assert check() == KEY


def test_which_secret_has_signed() -> None:
    assert check(secrets=(OTHER, KEY)) == KEY


@pytest.mark.parametrize("signatures", [f"v1,AAAA {SIGNATURE}", f"{SIGNATURE} v1a,xyz", f"v2,x  {SIGNATURE}  v1,"])
def test_one_of_several_signatures_is_enough(signatures: str) -> None:
    assert check(signatures) == KEY


@pytest.mark.parametrize(
    "values",
    [
        {"signatures": ""},
        {"signatures": "v1,"},
        {"signatures": SIGNATURE.removeprefix("v1,")},
        {"signatures": SIGNATURE.replace("v1", "v2")},
        {"signatures": SIGNATURE.replace("v1", "V1")},
        {"signatures": SIGNATURE.replace(" ", "") + "x"},
        {"signatures": SIGNATURE.replace("g0", "g1")},
        {"signatures": "v1,é\udcff"},
        {"signatures": " ".join(["v1,x"] * standard_webhooks.MOST_SIGNATURES) + f" {SIGNATURE}"},
        {"id": ""},
        {"id": "msg_other"},
        {"timestamp": ""},
        {"timestamp": str(TIME + 1)},
        {"body": BODY + b" "},
        {"secrets": ()},
        {"secrets": (OTHER,)},
    ],
)
def test_whatever_else_is_refused(values: dict[str, object]) -> None:
    assert refusal(**values) == (401, "invalid_signature")


def test_the_signed_parts_cannot_be_split_differently() -> None:
    whole = standard_webhooks.sign(KEY, "a.1614265330", "2", b"3")
    assert whole == standard_webhooks.sign(KEY, "a", "1614265330", b"2.3")
    assert refusal(signatures=whole, id="a.1614265330", timestamp="2", body=b"3") == (401, "invalid_signature")


@pytest.mark.parametrize("away", [-standard_webhooks.TOLERANCE, 0, standard_webhooks.TOLERANCE])
def test_a_clock_may_be_five_minutes_off(away: int) -> None:
    assert check(now=TIME + away) == KEY


@pytest.mark.parametrize(("away", "words"), [(301, "301 seconds ago"), (-301, "301 seconds from now")])
def test_more_is_too_much_and_reported(away: int, words: str) -> None:
    with pytest.raises(RequestRejected, match=words) as caught:
        check(now=TIME + away)
    assert (caught.value.status, caught.value.code) == (401, "bad_timestamp")


def test_the_time_is_shown_only_to_who_has_signed() -> None:
    assert refusal(now=TIME + 1000, secrets=(OTHER,)) == (401, "invalid_signature")


@pytest.mark.parametrize("timestamp", ["now", "-1", "1.5", "9" * 13])
def test_a_time_that_is_none(timestamp: str) -> None:
    signature = standard_webhooks.sign(KEY, ID, timestamp, BODY)
    assert refusal(signatures=signature, timestamp=timestamp) == (401, "bad_timestamp")


def test_headers_are_read_without_the_spaces_around() -> None:
    headers = {"webhook-id": " a ", "webhook-timestamp": "1 ", "webhook-signature": " v1,x v1,y"}
    assert standard_webhooks.read(headers) == Signature("a", "1", "v1,x v1,y")
    assert standard_webhooks.read({}) == Signature()


@pytest.mark.parametrize("size", [24, 33, 64])
def test_secrets_have_24_to_64_bytes(size: int) -> None:
    assert standard_webhooks.secret_bytes(f"whsec_{base64.b64encode(bytes(size)).decode()}") == bytes(size)


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", SECRET.removeprefix("whsec_"), f"{SECRET}!", f"whsec_{'A' * 28}", f"whsec_{'A' * 88}", "whsec_é"],
)
def test_what_is_no_secret_is_not_shown(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        standard_webhooks.secret_bytes(text)
    assert len(text) < 8 or text not in caught.value.message


def test_a_signature_does_not_show_itself() -> None:
    assert "g0hM" not in repr(Signature(ID, str(TIME), SIGNATURE))
