"""`countinghouse worker NAME`: one process of ours, wired from the settings, until SIGTERM."""

from collections.abc import Callable

import typer

from countinghouse.settings import Settings


def init(settings: Settings) -> None:
    """Create topics and tables, then end."""
    from countinghouse.init import open_ledger, prepare

    open_ledger(settings)
    prepare(settings)


def counters(settings: Settings) -> None:
    """Count usage and announce limits."""
    from countinghouse.wiring import counters_config
    from streams.worker import app

    app.run(
        counters_config(settings),
        app.NotifyConfig(
            urls=tuple(settings.notify_urls.split()),
            secrets=tuple(settings.notify_secret.split()),
            patience_s=settings.notify_patience.total_seconds(),
            timeout_s=settings.notify_timeout.total_seconds(),
        ),
    )


def landing(settings: Settings) -> None:
    """Land usage in the warehouse."""
    from countinghouse.wiring import landing_config
    from streams.landing import landing

    landing.run(landing_config(settings))


def relay(settings: Settings) -> None:
    """Publish what changed in the ledger."""
    from countinghouse.wiring import relay_config
    from streams.relay import relay

    relay.run(relay_config(settings))


def api(settings: Settings) -> None:
    """Serve health and webhooks."""
    from api.app import ApiConfig, run_api
    from countinghouse.wiring import provider_settings

    run_api(
        ApiConfig(
            host=settings.host,
            port=settings.api_port,
            ledger_url=settings.ledger_url,
            providers=provider_settings(settings),
            at_once=settings.charges_at_once,
        )
    )


def sandbox(settings: Settings) -> None:
    """Be the sandbox payment provider."""
    from payments.sandbox_server import SandboxConfig, run_sandbox

    run_sandbox(
        SandboxConfig(
            host=settings.host,
            port=settings.sandbox_port,
            database=settings.home / "sandbox.db",
            webhook_url=settings.webhook_address,
            webhook_secret=settings.webhook_secret,
        )
    )


WORKERS: dict[str, Callable[[Settings], None]] = {
    worker.__name__: worker for worker in (init, sandbox, api, relay, landing, counters)
}


def worker(name: str = typer.Argument(help=f"One of: {', '.join(WORKERS)}.")) -> None:
    """Run one process in the foreground; `up` starts all of them."""
    if name not in WORKERS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(WORKERS)}")
    settings = Settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    WORKERS[name](settings)
