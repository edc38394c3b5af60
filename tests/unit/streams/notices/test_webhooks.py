"""What a webhook holds, how it is signed, and what an answer to it means."""

import base64
import hashlib
import hmac
import json

import pytest

from pipelines.standard_webhooks import Signer
from schemas.errors import InvalidInput
from streams.notices.facts import Delivered, Fact, Failed, Outcome, Refused
from streams.notices.webhooks import NotifyConfig, message_of, outcome_of, receivers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def test_a_signature_is_that_of_the_specifications_own_libraries() -> None:
    headers = Signer([SECRET]).headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_give_two_signatures_so_that_receivers_can_change_over() -> None:
    old, new = (Signer([secret]).headers("id", 1, b"{}") for secret in (SECRET, OTHER))
    both = Signer([SECRET, OTHER]).headers("id", 1, b"{}")
    signatures = [old["webhook-signature"], new["webhook-signature"]]
    assert both["webhook-signature"].split() == signatures
    expected = hmac.new(bytes(range(32)), b"id.1.{}", hashlib.sha256).digest()
    assert signatures[1] == "v1," + base64.b64encode(expected).decode()


@pytest.mark.parametrize(
    "secret",
    [
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_",
        "whsec_short",
        "whsec_c2hvcnQ=",
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa*w",
    ],
)
def test_a_secret_that_is_none_is_told_with_a_way_to_make_one(secret: str) -> None:
    with pytest.raises(InvalidInput, match="COUNTINGHOUSE_NOTIFY_SECRET must be whsec_"):
        Signer([secret])


def test_urls_without_a_secret_are_refused_at_the_start() -> None:
    with pytest.raises(InvalidInput, match="needs a COUNTINGHOUSE_NOTIFY_SECRET"):
        receivers(NotifyConfig(urls=("https://example.com/hook",)))


@pytest.mark.parametrize("url", ["example.com/hook", "ftp://example.com", "https://", "http://a:b"])
def test_an_address_that_is_none_is_told_with_an_example(url: str) -> None:
    with pytest.raises(InvalidInput, match="is not like https://host/path"):
        receivers(NotifyConfig(urls=(url,), secrets=(SECRET,)))


def test_without_an_address_nobody_is_told() -> None:
    assert receivers(NotifyConfig()) == []


def test_what_is_shown_of_an_address_has_no_password_and_no_query() -> None:
    url = "https://user:password@example.com:8443/hook?token=secret"
    [receiver] = receivers(NotifyConfig(urls=(url, url), secrets=(SECRET,)))
    assert receiver.name == "https://example.com:8443/hook"


def test_addresses_that_differ_in_their_query_alone_are_told_apart() -> None:
    urls = tuple(f"https://example.com/hook?key={key}" for key in "abc")
    named = [each.name for each in receivers(NotifyConfig(urls=urls, secrets=(SECRET,)))]
    shown = "https://example.com/hook"
    assert named == [shown, f"{shown} (2)", f"{shown} (3)"]


def test_addresses_have_groups_of_their_own() -> None:
    urls = ("https://example.com/hook?a", "https://example.com/hook?b")
    first, second = receivers(NotifyConfig(urls=urls, secrets=(SECRET,)))
    assert first.group != second.group


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (200, {}, Delivered()),
        (204, {}, Delivered()),
        (301, {"Location": "https://elsewhere"}, Failed("HTTP 301")),
        (400, {}, Refused("HTTP 400")),
        (401, {}, Failed("HTTP 401")),
        (404, {}, Failed("HTTP 404")),
        (408, {}, Failed("HTTP 408")),
        (410, {}, Refused("HTTP 410")),
        (422, {}, Refused("HTTP 422")),
        (429, {"Retry-After": "7"}, Failed("HTTP 429", 7)),
        (500, {}, Failed("HTTP 500")),
        (503, {"Retry-After": "100000"}, Failed("HTTP 503", 3600)),
        (503, {"Retry-After": "Wed, 25 Nov 2026 12:00:00 GMT"}, Failed("HTTP 503")),
    ],
)
def test_what_an_answer_means(status: int, headers: dict[str, str], outcome: Outcome) -> None:
    assert outcome_of(status, headers) == outcome


def a_fact(kind: str = "quota.exceeded", announced_ms: int = 1_795_600_000_250) -> Fact:
    value = json.dumps({"kind": kind, "id": "ab12", "tenant": "acme", "limit": "100"}).encode()
    return Fact.of(value, announced_ms)


def test_a_body_holds_the_fact_as_its_topic_does() -> None:
    message_id, body = message_of(a_fact())
    assert message_id == "quota_exceeded_ab12"
    assert json.loads(body) == {
        "type": "quota.exceeded",
        "timestamp": "2026-11-25T09:46:40.250Z",
        "data": {"kind": "quota.exceeded", "id": "ab12", "tenant": "acme", "limit": "100"},
    }


def test_an_alert_and_a_hard_limit_of_one_id_are_two_webhooks() -> None:
    assert message_of(a_fact("usage.alert"))[0] != message_of(a_fact("quota.exceeded"))[0]
