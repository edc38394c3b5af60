"""The bundle's `verify.sql`: every line of a month again from its Parquet files, by DuckDB alone.

It is the close's own statements over files, but for the price of usage, which the close looks up by
number and this reads from the price list as it is written. Discounts go turn by turn, so they are
written out as often as this month needs.
"""

from importlib.resources import files

import pyarrow as pa

_SQL = files("pipelines") / "sql"
_BEFORE_DISCOUNTS = (
    "tables",
    "bookings",
    "maximum",
    "take",
    "maximum_lines",
    "minimum",
    "discounts",
)
_TURN = ("discount", "take", "discount_lines")


def verify_sql(tables: dict[str, pa.Table]) -> str:
    """The script for the tables of a bundle; DuckDB runs it within the bundle's folder."""
    charges = "CREATE TABLE charges AS\n" + _text("charges") + ";"
    fees = "CREATE TABLE usual AS\n" + _text("fees") + ";"
    scripts = [
        _text("verify/usage"),
        _text("parts") + ";",
        _text("cost") + ";",
        _text("clamped") + ";",
        _text("rounded") + ";",
        _text("splits" if _are_usual(tables) else "splits_by_policy") + ";",
        charges,
        _text("verify/fees"),
        _text("parts") + ";",
        fees,
        _text("verify/adjusting"),
        *(_text(f"adjustments/{name}") for name in _BEFORE_DISCOUNTS),
        *(
            _text(f"adjustments/{name}").replace("$turn", str(turn))
            for turn in range(1, _turns(tables) + 1)
            for name in _TURN
        ),
        _text("adjustments/taxes"),
        _text("adjustments/credits"),
        "CREATE TABLE adjusted AS\n" + _text("adjustments/adjusting") + ";",
        _text("verify/differences"),
    ]
    return "\n\n".join(script.strip() for script in scripts) + "\n"


def _are_usual(tables: dict[str, pa.Table]) -> bool:
    """Is there one pool for the period in every plan, to which each brings its share by time?"""
    return all(
        row["proration"] == "second" and not row["is_full"] and not row["is_per_segment"]
        for row in tables["policies"].to_pylist()
    )


def _turns(tables: dict[str, pa.Table]) -> int:
    """At most so many discounts follow each other on an invoice: coupons, and plans with one."""
    terms, coupons = tables["terms"], tables["redemptions"]
    discounted = terms.filter(pa.compute.is_valid(terms["discount_on"]))
    plans = len(discounted["plan"].unique())
    counted = coupons.group_by(["tenant", "currency"]).aggregate([([], "count_all")])
    return plans + (pa.compute.max(counted["count_all"]).as_py() or 0)


def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text().rstrip()
