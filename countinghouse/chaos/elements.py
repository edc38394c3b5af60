"""The elements of messages as bytes: events as services write them, and every way to be malformed.

Owns the JSON text. Which element is sent when, and how often, is the traffic's matter.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from countinghouse.chaos import prices
from countinghouse.chaos.messages import Identity, Malformed, Usage
from countinghouse.chaos.truth import quantity
from countinghouse.chaos.windows import instant

MAX_BYTES = 4_096
"""The setting `max_event_bytes` of a run: small, so that an element that is too large is cheap."""

SOURCES = ("chaos/gateway", "chaos/batch")
MODELS = ("small", "medium", "large")


@dataclass(frozen=True, slots=True)
class Text:
    """An element's bytes, and what must become of it."""

    text: bytes
    meant: Usage | Malformed


class Elements:
    """Makes elements; every malformed one holds a marker that no other has."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._ids: dict[tuple[str, str], int] = {}
        self._markers = 0

    def event(self, tenant: str, time_ms: int, event_type: str | None = None) -> Text:
        """A new event. Ids are unique within tenant and source alone."""
        source = self._random.choice(SOURCES)
        number = self._ids[tenant, source] = self._ids.get((tenant, source), 0) + 1
        return self._text(Identity(tenant, source, str(number)), time_ms, event_type)

    def other_content(self, text: Text) -> Text:
        """The same identity and time with other quantities: a conflict, of which the first counts.

        An event that no meter reads has nothing to differ in, and stays as it is.
        """
        assert isinstance(text.meant, Usage)  # noqa: S101  only events are sent again
        if text.meant.type == prices.UNMETERED:
            return text
        return self._text(text.meant.identity, text.meant.time_ms, text.meant.type)

    def _text(self, identity: Identity, time_ms: int, event_type: str | None = None) -> Text:
        chosen = event_type or self._random.choices(_TYPES, _WEIGHTS)[0]
        data, micros = self._data(chosen)
        members = {}
        if chosen == prices.LLM_REQUEST:
            data["user"], members["users"] = self._user()
        usage = Usage(identity, chosen, time_ms, prices.values(chosen, micros), members)
        return Text(_encode(usage, data, instant(time_ms)), usage)

    def _data(self, event_type: str) -> tuple[dict[str, str], dict[str, int]]:
        """The properties as JSON texts, and those that meters read as 1e-6 units."""
        random = self._random
        if event_type == prices.LLM_REQUEST:
            micros = {name: random.randint(0, 900) * prices.MICRO for name in _TOKENS}
            if random.random() < 0.02:
                micros = {name: -micro for name, micro in micros.items()}  # a correction
            return _texts(micros) | {"model": json.dumps(random.choice(MODELS))}, micros
        if event_type == prices.API_CALL:
            micros = {"gigabytes": random.randint(0, 500_000)}
            return _texts(micros), micros
        if event_type == prices.SEATS:
            micros = {"seats": random.randint(1, 120) * prices.MICRO}
            return _texts(micros), micros
        return {"note": '"not metered"'}, {}

    def _user(self) -> tuple[str, str]:
        """A user as JSON, and the text that tells it apart: 7, 7.0 and "7" are one."""
        name = str(self._random.randint(1, 2_000 if self._random.random() < 0.2 else 40))
        return self._random.choice((f'"{name}"', f'"{name}"', name, f"{name}.0")), name

    def malformed(self, tenant: str, time_ms: int) -> Text:
        """An element that is rejected wherever it stands."""
        self._markers += 1
        marker = f"marker-{self._markers:08d}"
        usage = Usage(Identity(tenant, SOURCES[0], marker), prices.API_CALL, time_ms, {}, {})
        reason, text = self._random.choice(_FAULTS)(usage)
        return Text(text, Malformed(reason, text))


_TYPES = (prices.LLM_REQUEST, prices.API_CALL, prices.SEATS, prices.UNMETERED)
_WEIGHTS = (57, 35, 5, 3)
_TOKENS = ("input_tokens", "output_tokens")


def _texts(micros: dict[str, int]) -> dict[str, str]:
    return {name: quantity(micro) for name, micro in micros.items()}


def _encode(usage: Usage, data: dict[str, str], time: str, subject: str | None = None) -> bytes:
    identity = usage.identity
    names = {
        "specversion": "1.0",
        "id": identity.id,
        "source": identity.source,
        "type": usage.type,
        "subject": subject or identity.tenant,
        "time": time,
    }
    head = json.dumps(names, ensure_ascii=False)[:-1]
    properties = ",".join(f'"{name}":{text}' for name, text in data.items())
    return f'{head},"data":{{{properties}}}}}'.encode()


_CALL = {"gigabytes": "1"}
_Fault = Callable[[Usage], tuple[str, bytes]]


def _with(reason: str, text: Callable[[Usage], bytes]) -> _Fault:
    return lambda usage: (reason, text(usage))


def _without(name: str, usage: Usage) -> bytes:
    event = json.loads(_encode(usage, _CALL, instant(usage.time_ms)))
    return json.dumps({key: value for key, value in event.items() if key != name}).encode()


def _sent_at(usage: Usage, time: str) -> bytes:
    return _encode(usage, _CALL, time)


def _valued(usage: Usage, value: str) -> bytes:
    return _encode(usage, {"gigabytes": value}, instant(usage.time_ms))


def _of_user(usage: Usage, user: str) -> bytes:
    data = {"input_tokens": "1", "output_tokens": "1", "user": user}
    return _encode(replace(usage, type=prices.LLM_REQUEST), data, instant(usage.time_ms))


def _deep(usage: Usage) -> bytes:
    nested = {"nested": "[" * 70 + "]" * 70}
    return _encode(usage, _CALL | nested, instant(usage.time_ms))


def _padded(usage: Usage) -> bytes:
    padding = {"padding": json.dumps("x" * MAX_BYTES)}
    return _encode(usage, _CALL | padding, instant(usage.time_ms))


def _not_utf8(usage: Usage) -> bytes:
    return _encode(usage, _CALL, instant(usage.time_ms)).replace(b"1.0", b"\xff\xfe")


_DAY_MS = 86_400_000
_FAULTS: tuple[_Fault, ...] = (
    _with("not_an_event", lambda usage: _without("id", usage)),
    _with("not_an_event", lambda usage: _without("data", usage)),
    _with("not_an_event", lambda usage: b'"' + usage.identity.id.encode() + b'"'),
    _with("not_an_event", _deep),
    _with("too_large", _padded),
    _with("not_json", _not_utf8),
    _with(
        "key_mismatch",
        lambda usage: _encode(usage, _CALL, instant(usage.time_ms), subject="someone else"),
    ),
    _with("invalid_time", lambda usage: _sent_at(usage, "yesterday")),
    _with("invalid_time", lambda usage: _sent_at(usage, "2026-10-01T12:00:00")),
    _with("too_old", lambda usage: _sent_at(usage, instant(usage.time_ms - 75 * _DAY_MS))),
    _with("in_future", lambda usage: _sent_at(usage, instant(usage.time_ms + 75 * _DAY_MS))),
    _with("invalid_value", lambda usage: _valued(usage, '"many"')),
    _with("invalid_value", lambda usage: _valued(usage, "0.0000001")),
    _with("invalid_value", lambda usage: _valued(usage, "1e30")),
    _with("invalid_value", lambda usage: _valued(usage, "null")),
    _with("invalid_value", lambda usage: _of_user(usage, "{}")),
    _with("invalid_value", lambda usage: _of_user(usage, '""')),
)


def broken_records(marker: str) -> list[tuple[str, bytes | None, bytes]]:
    """Records that are rejected whole: the reason, the value, and what the letter holds of it."""
    cut = f'[{{"id":"{marker}"}},{{"id":'.encode()
    text = f"not json: {marker}".encode()
    deep = f'{{"id":"{marker}","nested":{"[" * 70}{"]" * 70}}}'.encode()
    return [
        ("empty", None, b""),
        ("empty", b"", b""),
        ("empty", b"[]", b"[]"),
        ("not_json", cut, cut),
        ("not_json", text, text),
        ("not_an_event", deep, deep),
    ]


def beyond_limits(text: Text, reason: str) -> Text:
    """A well-formed event whose time is too old or in the future: it is rejected for that."""
    return replace(text, meant=Malformed(reason, text.text))
