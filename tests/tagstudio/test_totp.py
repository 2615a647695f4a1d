"""One-time codes are those of RFC 6238, of now or a step beside it, and none twice."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tagstudio import totp

RFC = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
     (2000000000, "69279037"), (20000000000, "65353130")],
)  # fmt: skip
def test_the_values_of_the_standard(seconds: int, code: str) -> None:
    """RFC 6238, appendix B."""
    assert totp.code_at(RFC, seconds // 30, digits=8) == code
    assert totp.step_of(RFC, code[2:], now=seconds) == seconds // 30


@pytest.mark.parametrize(("late", "good"), [(-61, False), (-30, True), (0, True), (30, True), (61, False)])
def test_a_clock_may_be_half_a_minute_off(late: int, good: bool) -> None:
    code = totp.code_at(RFC, 1_000_000)
    assert (totp.step_of(RFC, code, now=1_000_000 * 30 + late) is not None) is good


def test_a_step_that_was_used_is_over_and_so_are_those_before_it() -> None:
    now = 1_000_000 * 30 + 5
    for step in (999_999, 1_000_000):
        assert totp.step_of(RFC, totp.code_at(RFC, step), after=1_000_000, now=now) is None
    assert totp.step_of(RFC, totp.code_at(RFC, 1_000_001), after=1_000_000, now=now) == 1_000_001


@pytest.mark.parametrize("code", ["", "0", "000000000", "abcdef", "２８７０８２", "94287082", " 287082"])
def test_what_is_no_code(code: str) -> None:
    assert totp.step_of(RFC, code, now=59) is None


def test_secrets_are_long_and_each_another() -> None:
    made = {totp.new_secret() for _n in range(50)}
    assert len(made) == 50 and {len(base64.b32decode(secret)) for secret in made} == {20}


def test_the_address_for_the_app() -> None:
    parts = urlsplit(totp.address(RFC, account="ada:x@y", issuer="TagStudio tags.example:8000"))
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path.count(":") == 1, "issuer and account are told apart by the only colon"
    assert unquote(parts.path) == "/TagStudio tags.example:8000:ada:x@y"
    assert parse_qs(parts.query) == {
        "secret": [RFC], "issuer": ["TagStudio tags.example:8000"], "algorithm": ["SHA1"], "digits": ["6"], "period": ["30"],
    }  # fmt: skip
