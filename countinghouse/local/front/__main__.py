"""Runs the front: `python -m countinghouse.local.front`, settings from the environment."""

import asyncio
import os
import signal
import sys
import time

from countinghouse.local.front.app import Front, serve
from countinghouse.local.front.engine import Engine
from countinghouse.local.front.token import ensure_token
from countinghouse.settings import Settings
from schemas.errors import BillingError, Conflict


def default_settings() -> dict[str, str]:
    """Session settings unless a request says otherwise: one query may take half of the memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"max_memory_usage": str(memory // 2)}


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        Conflict: the folder or the port is in use.
    """
    home = settings.home.absolute()
    folder = home / "warehouse"
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)  # the engine would load any config.xml of the working directory
    os.environ["TZ"] = "UTC"  # a server's zone, wherever the machine is
    time.tzset()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    token = ensure_token(home / "warehouse.token")
    front = Front(Engine(folder, default_settings()), token)
    try:
        await serve(front, settings.warehouse_port, stop)
    except OSError as error:
        raise Conflict(
            f"port {settings.warehouse_port} cannot be used ({error.strerror}): "
            "set COUNTINGHOUSE_WAREHOUSE_PORT to a free one"
        ) from error


def main() -> None:
    """Run, and end with one line when it cannot."""
    try:
        asyncio.run(run(Settings()))
    except BillingError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
