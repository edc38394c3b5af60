"""`countinghouse entitlements`: what a tenant may use, and refilling the topic."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from countinghouse.cli.nearest import suggesting
from countinghouse.cli.options import JsonOption
from countinghouse.cli.tables import Format, chosen_format, show
from countinghouse.settings import Settings
from schemas.entitlement import EntitlementEntry, QuotaEntitlement, Threshold

COLUMNS = (
    *("from", "plan", "meter", "window", "included", "alerts", "soft_limit", "hard_limit"),
    "features",
)

entitlements = typer.Typer(no_args_is_help=True)


@entitlements.command("show")
def show_entitlements(
    tenant: Annotated[str, typer.Argument(help="The tenant as its events name it.")],
    as_script: JsonOption = False,
) -> None:
    """Show a tenant's timeline as the topic `entitlements` holds it, or soon will."""
    import msgspec

    from countinghouse.init import now_ms
    from schemas.period import BillingPeriod
    from stores import ledger
    from streams.relay.relay_duties import entitlements_of

    books = ledger.connect(Settings().ledger_url)
    with suggesting(tenant, books.tenant_names, "subscriptions list"):
        subscribed = books.subscribed(tenant)
    found = entitlements_of(subscribed, books.catalogs(), BillingPeriod.month_of(now_ms()))
    form = chosen_format(as_json=as_script, as_csv=False)
    if form is Format.JSON:
        typer.echo(msgspec.json.encode(found))
        return
    if form is Format.TABLE:
        typer.echo(f"{tenant}, version {found.version}\n")
    show(COLUMNS, [row for entry in found.timeline for row in _rows(entry)], form)


@entitlements.command("republish")
def republish(as_script: JsonOption = False) -> None:
    """Send every tenant's entitlements again, to refill an empty topic."""
    from countinghouse.wiring import relay_config
    from stores import ledger
    from streams.relay.relay import publish_all

    settings = Settings()
    tenants = ledger.connect(settings.ledger_url).republish_entitlements()
    typer.echo(f"publishing the entitlements of {tenants} tenants", err=True)
    published = publish_all(relay_config(settings))
    if as_script:
        typer.echo(json.dumps({"tenants": tenants, **asdict(published)}))
    else:
        typer.echo("all of them are on the topic")


def _rows(entry: EntitlementEntry) -> list[tuple[str, ...]]:
    """A row for each meter and window that has limits; one that limits nothing has a row, too."""
    limits: list[tuple[str, ...]] = [
        (meter, window, *_limits(quota))
        for meter, of_meter in entry.meters.items()
        for window, quota in {"billing_period": of_meter, **of_meter.windows}.items()
    ]
    features = ", ".join(entry.features)
    return [(entry.from_, entry.plan, *each, features) for each in limits or [("",) * 6]]


def _limits(limits: QuotaEntitlement) -> tuple[str, str, str, str]:
    alerts = ", ".join(map(_step, limits.thresholds))
    soft = _step(limits.soft) if limits.soft else "none"
    hard = _step(limits.hard) + _grace(limits) if limits.hard else "none"
    return limits.included or "unlimited", alerts, soft, hard


def _step(threshold: Threshold) -> str:
    return f"{threshold.percent}% = {threshold.at}"


def _grace(limits: QuotaEntitlement) -> str:
    """Where or when usage is denied that is not at once."""
    if limits.deny_at is not None:
        return f", denied from {limits.deny_at}"
    return "" if limits.deny_after_s is None else f", denied after {limits.deny_after_s} s"
