"""The counters as a Faust application: agents, services, web views, and how one worker is run."""

import logging.config
from collections.abc import Iterable
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.types.web import Request, Response
from faust.web.views import View
from mode.types import ServiceT

from streams import fetched
from streams.health.health import require_usable
from streams.health.lag import PartitionLag
from streams.health.metrics import CounterMetrics
from streams.journal.counters import CountersConfig, CounterTopics
from streams.notices.facts import Receiver
from streams.notices.notice_log import LogReceiver
from streams.notices.notice_metrics import NoticeMetrics
from streams.notices.notices import NoticeIntake
from streams.notices.webhooks import NotifyConfig, receivers
from streams.stopping import end_in_time
from streams.worker import pauses
from streams.worker.agents import AGENTS, Inlet, count, notifying
from streams.worker.collector import calm_collector
from streams.worker.intake import Intake

__all__ = ["CounterTopics", "CountersApp", "CountersConfig", "NotifyConfig", "build", "run"]

INLET_BATCHES = 16

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"level": "WARNING", "handlers": ["stderr"]},
    "loggers": {
        "streams": {"level": "INFO"},
        # rebalances and stops are told by ourselves; these warn about them at length
        "aiokafka": {"level": "CRITICAL"},
        "faust": {"level": "ERROR"},
        "mode": {"level": "ERROR"},
        # Faust tells of each service's starting and stopping under the service's module
        "streams.worker.app": {"level": "WARNING"},
        "streams.worker.intake": {"level": "WARNING"},
        "streams.notices.notices": {"level": "WARNING"},
    },
}


class _WithoutFaustsConsumer(BootStrategy):
    """Faust's own consumer and producer stay off: the log comes in by our intakes."""

    enable_kafka = False


class CountersApp(faust.App):
    """A Faust app with its intakes, of usage and of notices, as its services."""

    BootStrategy = _WithoutFaustsConsumer
    intake: Intake
    notices: list[NoticeIntake]
    metrics: CounterMetrics

    def on_init_dependencies(self) -> Iterable[ServiceT]:
        """The intakes start last, when agents listen, and stop first; that of usage before all."""
        return [*super().on_init_dependencies(), *self.notices, self.intake]


class _Worker(faust.Worker):
    async def stop(self) -> None:
        """Stop the services, and the process after a while whatever they wait for."""
        end_in_time()
        await super().stop()


NOBODY = NotifyConfig()


def build(config: CountersConfig, notify: NotifyConfig = NOBODY) -> CountersApp:
    """The application of one worker; nothing is opened before it runs."""
    pauses.install()
    fetched.install()
    app = CountersApp(
        config.group_id,
        broker=f"kafka://{config.kafka.servers}",  # a name: Faust itself connects to nothing
        datadir=config.data_dir,
        web_bind=config.host,
        web_host="127.0.0.1",
        web_port=config.web_port,
        topic_disable_leader=True,
        topic_allow_declare=False,
        worker_redirect_stdouts=False,
    )
    batches: Inlet = Inlet(app, maxsize=INLET_BATCHES)
    app.agent(batches)(count)
    app.metrics = CounterMetrics(config.epoch, config.catalog_version)
    app.intake = Intake(config, batches.put, app.metrics)
    notices = NoticeMetrics(app.metrics.registry)
    told: list[Receiver] = [LogReceiver(), *receivers(notify)]
    app.notices = [_notices(app, config, one, notices, notify.patience_s) for one in told]
    _add_pages(app)
    return app


def _notices(
    app: CountersApp,
    config: CountersConfig,
    receiver: Receiver,
    metrics: NoticeMetrics,
    patience_s: float,
) -> NoticeIntake:
    """A receiver's own consumer and agents: a dead one delays neither another nor the counting."""
    inlet = Inlet(app)  # what is in it is bounded by the intake's window
    intake = NoticeIntake(config, receiver, inlet.put, metrics, patience_s=patience_s)
    agent = app.agent(inlet, name=f"notify-{receiver.group}", concurrency=AGENTS)
    agent(notifying(receiver, intake.attempts.settle))
    return intake


def _add_pages(app: CountersApp) -> None:
    @app.page("/readyz")
    async def readyz(web: View, request: Request) -> Response:
        if app.intake.is_ready():
            return web.text("ready\n")
        return web.text(f"{_problem(app.intake.lags())}\n", status=503)

    @app.page("/metrics")
    async def exposition(web: View, request: Request) -> Response:
        return web.text(app.metrics.exposition(), content_type="text/plain")

    @app.page("/lag")
    async def lag(web: View, request: Request) -> Response:
        return web.json(_lag(app.intake))


def _lag(intake: Intake) -> dict[str, Any]:
    """How far this worker is behind: the worst age, all records, what is counted by partition."""
    lags = intake.lags()
    return {
        "lag_seconds": max((lag.seconds for lag in lags), default=0.0),
        "lag_records": sum(lag.records for lag in lags),
        "counted": {str(lag.partition): lag.counted for lag in lags if lag.counted is not None},
    }


def _problem(lags: Iterable[PartitionLag]) -> str:
    """Why the counters are not ready, for a person."""
    told = [
        f"partition {lag.partition} "
        + ("is being loaded" if lag.counted is None else f"stands, {lag.records} records behind")
        for lag in lags
        if not lag.is_moving
    ]
    return "; ".join(told) or "not in the group yet, or Kafka does not answer"


def run(config: CountersConfig, notify: NotifyConfig = NOBODY) -> None:
    """Run one worker in this process until SIGTERM or SIGINT; does not return.

    Raises:
        InvalidInput: a receiver's URL or secret is wrong. Conflict: the port is in use.
    """
    require_usable(config.web_port, "COUNTINGHOUSE_COUNTERS_PORT", config.host)
    logging.config.dictConfig(LOGGING)
    calm_collector()
    worker = _Worker(build(config, notify), quiet=True, override_logging=False)
    worker.spinner = None  # it writes to the terminal, logs or not
    worker.execute_from_commandline()
