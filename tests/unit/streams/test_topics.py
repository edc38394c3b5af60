"""Topics that exist already must have the shape that the streams rely on."""

import pytest

from schemas.errors import Conflict
from schemas.topics import ENTITLEMENTS, TOPICS, USAGE_EVENTS
from streams.topics import check_clocks, check_partitions

EQUAL = {topic.name: 8 for topic in TOPICS}
CLOCKS = {topic.name: topic.config() for topic in TOPICS}


def test_topics_as_they_are_made_pass() -> None:
    check_partitions(EQUAL)
    check_clocks(CLOCKS)


def test_topics_of_their_own_count_may_differ() -> None:
    own = {topic.name: 1 for topic in TOPICS if not topic.co_partitioned}
    check_partitions({**EQUAL, **own})


def test_a_tenant_must_have_one_partition_in_all_its_topics() -> None:
    with pytest.raises(Conflict, match=r"entitlements 4, .*usage\.events 8"):
        check_partitions({**EQUAL, ENTITLEMENTS: 4})


@pytest.mark.parametrize("settings", [{}, {"message.timestamp.type": "CreateTime"}])
def test_the_broker_s_clock_must_stamp_usage(settings: dict[str, str]) -> None:
    with pytest.raises(Conflict, match="set it to LogAppendTime"):
        check_clocks({**CLOCKS, USAGE_EVENTS: settings})
