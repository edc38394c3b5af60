"""Topics that exist already must have the shape that the streams rely on."""

from dataclasses import asdict

import pytest
from confluent_kafka.admin import ConfigEntry, ConfigSource  # type: ignore[attr-defined]

from schemas.errors import Conflict
from schemas.topics import (
    COMPACTION,
    ENTITLEMENTS,
    QUOTA_STATE,
    TOPICS,
    USAGE_EVENTS,
    TopicNames,
    generation_of,
    named,
    topics_of,
)
from streams.topics import check_clocks, check_partitions, unchosen

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


def test_compacted_topics_are_compacted_within_hours_whatever_their_size() -> None:
    compacted = [topic for topic in TOPICS if topic.kind == "compacted"]
    assert {topic.name for topic in compacted} == {ENTITLEMENTS, QUOTA_STATE}
    for topic in compacted:
        assert topic.config().items() >= COMPACTION.items()


def test_only_what_nobody_chose_is_changed_of_a_topic() -> None:
    given, chosen = ConfigSource.DEFAULT_CONFIG, ConfigSource.DYNAMIC_TOPIC_CONFIG
    described = {
        topic.name: {name: ConfigEntry(name, "1", given) for name in COMPACTION} for topic in TOPICS
    }
    described[ENTITLEMENTS]["segment.ms"] = ConfigEntry("segment.ms", "1", chosen)
    others = {name: value for name, value in COMPACTION.items() if name != "segment.ms"}
    assert unchosen(described, TOPICS) == {ENTITLEMENTS: others, QUOTA_STATE: COMPACTION}
    made = {name: ConfigEntry(name, value, chosen) for name, value in COMPACTION.items()}
    assert unchosen({topic.name: made for topic in TOPICS}, TOPICS) == {}


@pytest.mark.parametrize("settings", [{}, {"message.timestamp.type": "CreateTime"}])
def test_the_broker_s_clock_must_stamp_usage(settings: dict[str, str]) -> None:
    with pytest.raises(Conflict, match="set it to LogAppendTime"):
        check_clocks({**CLOCKS, USAGE_EVENTS: settings})


@pytest.mark.parametrize(
    ("topic", "generation", "name"),
    [
        ("usage.events", 1, "usage.events"),
        ("usage.events", 2, "usage.events.v2"),
        ("quota.state", 13, "quota.state.v13"),
    ],
)
def test_a_generation_s_topics_tell_it_by_their_names(
    topic: str, generation: int, name: str
) -> None:
    assert named(topic, generation) == name
    assert generation_of(name) == generation


def test_only_topics_with_tenants_partitions_have_generations() -> None:
    names = {topic.name for topic in topics_of(2)}
    plain = {topic.name for topic in TOPICS if not topic.co_partitioned}
    assert plain <= names
    assert names - plain == set(asdict(TopicNames.of(2)).values())
