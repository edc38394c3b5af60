"""Which of a month's invoices stand, when some were made void, made again or credited since."""

import pyarrow as pa
import pyarrow.compute as pc

from schemas.invoice import REMADE, late_note_id


def made_by_close(heads: pa.Table, month: str) -> pa.Table:
    """What the close made, of all invoices and notes of its month: each as it stands now.

    `heads` are `RECORD_COLUMNS`, and so is what comes of them, in their order. Of an invoice that
    was made again it is the last that took its place: void only if nothing did. Credit notes by
    hand follow from no usage and are not among them.
    """
    own = heads.filter(pc.invert(_are_by_hand(heads, month)))
    firsts = first_ids(own)
    remade = pc.unique(firsts.filter(pc.not_equal(own["id"], firsts)))
    if not len(remade):
        return own
    is_among = pc.is_in(firsts, value_set=remade)
    latest = _latest(own["id"].filter(is_among), firsts.filter(is_among))
    stands = pc.is_in(own["id"], value_set=pa.array(latest, pa.string()))
    return own.filter(pc.or_(pc.invert(is_among), stands))


def by_hand(heads: pa.Table, month: str) -> pa.Table:
    """The credit notes on somebody's word."""
    return heads.filter(_are_by_hand(heads, month))


def first_ids(heads: pa.Table) -> pa.ChunkedArray:
    """The ids of what the close made in their place; see `schemas.invoice.remade_id`."""
    stripped = pc.replace_substring_regex(heads["id"], REMADE, "")
    return pc.if_else(pc.equal(heads["kind"], "invoice"), stripped, heads["id"])


def _are_by_hand(heads: pa.Table, month: str) -> pa.ChunkedArray:
    """A note that is not the close's own, which is known by its id."""
    made = pc.binary_join_element_wise(heads["corrects"], late_note_id("", month), "")
    is_own = pc.fill_null(pc.equal(heads["id"], made), False)
    return pc.and_(pc.equal(heads["kind"], "note"), pc.invert(is_own))


def _latest(ids: pa.ChunkedArray, firsts: pa.ChunkedArray) -> list[str]:
    """The last of those that took each other's place: #10 comes after #9."""
    pairs = sorted(zip(ids.to_pylist(), firsts.to_pylist(), strict=True), key=_by_age)
    return list({first: name for name, first in pairs}.values())


def _by_age(pair: tuple[str, str]) -> tuple[int, str]:
    return len(pair[0]), pair[0]
