"""Ask whether a tenant may go on, from memory: run it beside `countinghouse up`.

python examples/gate.py tenant-42 tokens --watch

It finds Kafka by the same settings as countinghouse itself: COUNTINGHOUSE_KAFKA and the like.
"""

import argparse
import time

from countinghouse.gate import Gate
from countinghouse.settings import Settings

parser = argparse.ArgumentParser(description="Allow, warn or deny, without a network call.")
parser.add_argument("tenant")
parser.add_argument("meter")
parser.add_argument("--watch", action="store_true", help="tell every change until Ctrl-C")
arguments = parser.parse_args()

kafka = Settings().kafka_access

with Gate(kafka.servers, config=kafka.confluent()) as gate:
    told = None
    while told is None or arguments.watch:
        age = gate.staleness()
        seen = gate.decide(arguments.tenant, arguments.meter), age.seconds > 5
        if seen != told:
            told = seen
            print(
                f"{seen[0]}{' (stale)' if seen[1] else ''}: as of {age.seconds:.1f} s ago, when "
                f"{age.uncounted} records were not yet counted",
                flush=True,
            )
        time.sleep(0.01)
