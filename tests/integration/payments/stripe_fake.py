"""The endpoints of Stripe that we use, over real HTTP: PaymentIntents with idempotency keys,
refunds and disputes.

It answers as the documentation says; what to refuse next is said by `trouble`.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MOST_KEY = 255
CREATED = 1_793_600_000
"""When all that nobody dates was made, in seconds."""
FAULTS = {400: ("invalid_request_error", "Received unknown parameter: customer")}
DECLINES = {"pm_declined": "insufficient_funds", "pm_3ds": "authentication_required"}


class StripeFake:
    """PaymentIntents by id, and the answers kept by idempotency key."""

    def __init__(self) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.by_key: dict[str, tuple[dict[str, str], str]] = {}
        self.trouble: list[int] = []
        self.unknown: set[str] = set()
        self.page = 100
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""

    def answer(self, method: str, path: str, form: dict[str, str], key: str) -> tuple[int, Any]:
        """Status and body of a request."""
        self.requests.append((method, path, form))
        if self.trouble and self.trouble[0] == 500 and method == "POST":
            self._create(form, key)  # it happened, but the answer is lost
        if self.trouble and (status := self.trouble.pop(0)) != 200:
            return status, _error(*FAULTS.get(status, ("api_error", "trouble")))
        if form.get("customer") in self.unknown:
            return 400, _missing(f"No such customer: '{form['customer']}'")
        if method == "POST":
            return self._create(form, key)
        if path in self._lists:
            return 200, self._listed(path, form)
        intent = self.intents.get(path.rpartition("/")[2])
        return (200, intent) if intent else (404, _missing("No such payment_intent"))

    def pay_elsewhere(self, customer: str) -> None:
        """A payment of the customer by somebody else's program: our metadata is not in it."""
        form = {"amount": "100", "currency": "usd", "customer": customer, "payment_method": "pm_x"}
        identity = f"pi_{len(self.intents) + 1}"
        self.intents[identity] = _intent(identity, form)

    def refund(self, intent: str, amount: int, **own: Any) -> str:
        """A refund, as somebody makes it at Stripe's dashboard; its id."""
        return _went_back(self.refunds, f"re_{len(self.refunds) + 1}", intent, amount, own)

    def dispute(self, intent: str, amount: int, status: str = "needs_response", **own: Any) -> str:
        """A dispute, as a customer's bank makes it; its id."""
        own = {"status": status, **own}
        return _went_back(self.disputes, f"du_{len(self.disputes) + 1}", intent, amount, own)

    @property
    def _lists(self) -> dict[str, dict[str, dict[str, Any]]]:
        return {
            "/v1/payment_intents": self.intents,
            "/v1/refunds": self.refunds,
            "/v1/disputes": self.disputes,
        }

    def _listed(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        """A page of those that are asked for, the newest first, after the one that is named."""
        since = int(form.get("created[gte]", "0"))
        asked = {name: form[name] for name in ("customer", "payment_intent") if name in form}
        every = [it for it in reversed(self._lists[path].values()) if it["created"] >= since]
        own = [it for it in every if asked.items() <= it.items()]
        names = [it["id"] for it in own]
        start = names.index(form["starting_after"]) + 1 if "starting_after" in form else 0
        end = start + min(self.page, int(form["limit"]))
        return {
            "object": "list",
            "data": own[start:end],
            "has_more": end < len(own),
            "url": path,
        }

    def _create(self, form: dict[str, str], key: str) -> tuple[int, Any]:
        if not 0 < len(key) <= MOST_KEY or not key.isascii():
            return 400, _error("invalid_request_error", "Idempotency key is no key")
        known = self.by_key.get(key)
        if known is not None and known[0] != form:
            return 400, _error("idempotency_error", "Keys for idempotent requests")
        if int(form["amount"]) < 50:
            return 400, _error("invalid_request_error", "Amount must be at least $0.50 usd")
        if known is None:
            intent = _intent(f"pi_{len(self.intents) + 1}", form)
            self.intents[intent["id"]] = intent
            self.by_key[key] = (form, intent["id"])
        intent = self.intents[self.by_key[key][1]]
        declined = intent["last_payment_error"]
        if declined is not None:
            return 402, {"error": declined | {"payment_intent": intent}}
        return 200, intent


@contextmanager
def running_stripe() -> Iterator[StripeFake]:
    """The fake on a free port."""
    fake = StripeFake()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(fake: StripeFake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve("GET", urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._serve("POST", self.rfile.read(int(self.headers["Content-Length"])).decode())

        def log_message(self, format: str, *arguments: Any) -> None:
            return

        def _serve(self, method: str, fields: str) -> None:
            form = {name: values[0] for name, values in parse_qs(fields).items()}
            path = urlsplit(self.path).path
            key = self.headers.get("Idempotency-Key", "")
            status, body = fake.answer(method, path, form, key)
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    return Handler


def _intent(identity: str, form: dict[str, str]) -> dict[str, Any]:
    code = DECLINES.get(form["payment_method"])
    error = {"type": "card_error", "code": "card_declined", "decline_code": code, "message": "no"}
    return {
        "id": identity,
        "object": "payment_intent",
        "amount": int(form["amount"]),
        "currency": form["currency"],
        "customer": form["customer"],
        "created": CREATED,
        "status": "requires_payment_method" if code else "succeeded",
        "last_payment_error": error if code else None,
        "metadata": {n[9:-1]: v for n, v in form.items() if n.startswith("metadata[")},
    }


def _went_back(
    kept: dict[str, dict[str, Any]], identity: str, intent: str, amount: int, own: dict[str, Any]
) -> str:
    usual = {"currency": "usd", "status": "succeeded", "created": CREATED}
    named = {"id": identity, "payment_intent": intent, "amount": amount}
    kept[identity] = usual | named | own
    return identity


def _missing(message: str) -> dict[str, Any]:
    error = _error("invalid_request_error", message)["error"]
    return {"error": error | {"code": "resource_missing"}}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}
