"""`rejected list` for a person: where each element is, in columns that say what they are."""

from countinghouse.cli.rejected import COLUMNS, SHORT_COLUMNS, shortened

ROW = ("2026-10-01", "not_json", "malformed", "acme", "usage.events", 3, 194308, 0, b"{")


def test_the_place_of_an_element_is_told_by_name() -> None:
    assert dict(zip(SHORT_COLUMNS, shortened(ROW), strict=True)) == {
        "arrived": "2026-10-01",
        "reason": "not_json",
        "key": "acme",
        "topic": "usage.events",
        "partition": 3,
        "offset": 194308,
        "item": 0,
        "detail": "malformed",
    }
    assert set(SHORT_COLUMNS) == {*COLUMNS} - {"element"}
