"""The sandbox and the API as processes of their own, on free ports, that a test may kill."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic, sleep

import httpx

from api.app import ApiConfig, run_api
from payments.registry import Providers, ProviderSettings
from payments.sandbox_server import SandboxConfig, run_sandbox
from pipelines.checks.reconciliation import table_of_rows
from pipelines.invoices.draft_tables import drafts_of
from schemas.closing import Closing, Reconciliation
from schemas.invoice import Invoice, InvoiceLine, invoice_id
from schemas.vector import Vector
from stores import ledger
from stores.ledger import Ledger
from tests.builders import OCTOBER, a_subscription, at, llm_tokens
from tests.embedded import free_ports

SECRET = "of-the-tests"
SPAWN = multiprocessing.get_context("spawn")
START_SECONDS = 60


class Part:
    """One process that can be started, killed and started again on the same port and files."""

    def __init__(self, target: Callable[..., None], config: object, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._target = target
        self._config = config
        self.process: BaseProcess | None = None

    def start(self) -> None:
        """Start and wait until it is ready."""
        self.process = SPAWN.Process(target=self._target, args=(self._config,), daemon=True)
        self.process.start()
        eventually(self._is_ready, START_SECONDS)

    def kill(self) -> None:
        """Kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.join()

    def stop(self, seconds: int = 10) -> None:
        """SIGTERM, and wait."""
        if self.process is not None and self.process.is_alive():
            self.process.terminate()
            self.process.join(seconds)
            assert not self.process.is_alive(), "it did not stop on SIGTERM"

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.is_alive(), "the process died at its start"
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", trust_env=False).is_success
        return False


class Street:
    """A sandbox, an API with its ledger, and the client of the first."""

    def __init__(self, folder: Path) -> None:
        sandbox_port, api_port = free_ports(2)
        self.ledger_url = f"sqlite:///{folder / 'ledger.db'}"
        ledger.migrate(self.ledger_url)
        self.ledger = ledger.connect(self.ledger_url)
        self.settings = ProviderSettings(
            sandbox_url=f"http://127.0.0.1:{sandbox_port}", sandbox_secrets=(SECRET,)
        )
        self.providers = Providers.from_settings(self.settings)
        hook = f"http://127.0.0.1:{api_port}/webhooks/sandbox"
        sandbox = SandboxConfig("127.0.0.1", sandbox_port, folder / "sandbox.db", hook, SECRET)
        self.sandbox = Part(run_sandbox, sandbox, sandbox_port)
        api = ApiConfig("127.0.0.1", api_port, self.ledger_url, self.settings)
        self.api = Part(run_api, api, api_port)

    def owe(self, cards: dict[str, str], amount_minor: int = 2736) -> None:
        """Finalize October's invoices of these tenants, who pay by these cards."""
        owe(self.ledger, cards, amount_minor)

    def states(self) -> dict[str, str]:
        """How each tenant's invoice stands."""
        return {each.tenant: each.state.value for each in self.ledger.invoices("2026-10")}

    def close(self) -> None:
        """Stop everything."""
        with ExitStack() as stack:
            stack.callback(self.ledger.close)
            stack.callback(self.providers.close)
            stack.callback(self.sandbox.stop)
            stack.callback(self.api.stop)


@contextmanager
def a_street(folder: Path) -> Iterator[Street]:
    """A street whose sandbox is up; start the API when the test wants it."""
    street = Street(folder)
    try:
        street.sandbox.start()
        yield street
    finally:
        street.close()


def owe(ledger: Ledger, cards: dict[str, str], amount_minor: int = 2736) -> None:
    """Finalize October's invoices of these tenants, who pay by these cards."""
    document = llm_tokens().model_dump_json().encode()
    version, _ = ledger.apply_catalog(document, 0)
    wanted = [
        a_subscription("pro 10-01", tenant, card=card, version=version)
        for tenant, card in cards.items()
    ]
    ledger.save_subscriptions(wanted, 0, "test")
    ledger.save_closing(Closing("2026-10", Vector(), version, "test", 0))
    invoices = [an_invoice(tenant, amount_minor) for tenant in cards]
    ledger.replace_drafts("2026-10", drafts_of(invoices))
    rows = [Reconciliation(tenant, "tokens", 0, 0, 0, 0, 0, None) for tenant in cards]
    ledger.record_reconciliation("2026-10", table_of_rows(rows))
    assert ledger.finalize("2026-10", "seller", at("11-01"), at("11-15")) == len(cards)


def an_invoice(tenant: str, amount_minor: int) -> Invoice:
    """A draft of one line."""
    line = InvoiceLine("base_fee", "pro", OCTOBER, amount_minor)
    subscription = f"sub_{tenant}"
    identity = invoice_id(subscription, "2026-10")
    return Invoice(identity, tenant, subscription, "2026-10", "USD", (line,), b"{}", "0")


def eventually(is_so: Callable[[], bool], seconds: int = 20) -> None:
    """Wait until it is so; fail when it takes too long."""
    deadline = monotonic() + seconds
    while not is_so():
        assert monotonic() < deadline, "it did not come to be"
        sleep(0.02)
