"""What the close made, of invoices made void, made again and credited since: by any history."""

from dataclasses import replace
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from pipelines.invoices.standing import by_hand, first_ids, made_by_close
from schemas.invoice import Invoice, InvoiceState, invoice_id, late_note_id, remade_id
from schemas.tables import RECORD_COLUMNS
from tests.invoice_tables import heads_of

MONTH = "2026-10"
KEYS = ("1", "2", f"late:{MONTH}", f":late:{MONTH}", "#2")


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Invoice], list[Invoice], list[Invoice]]:
    """All invoices of a month as the ledger gives them, what stands of the close, and the rest."""
    made: list[Invoice] = []
    gone: list[Invoice] = []
    noted: list[Invoice] = []
    for tenant in ("acme", "acme#2", "bolt:2026-10#3"):
        invoice = _invoice(tenant, invoice_id(tenant, MONTH))
        for _ in range(draw(st.integers(0, 11))):
            gone.append(replace(invoice, state=InvoiceState.VOID))
            invoice = replace(invoice, id=remade_id(invoice.id))
        made.append(replace(invoice, state=draw(st.sampled_from(list(InvoiceState)))))
        if draw(st.booleans()):
            corrected = invoice_id(tenant, "2026-09")
            late = _invoice(tenant, late_note_id(corrected, MONTH))
            made.append(replace(late, kind="note", corrects=corrected))
        for key in draw(st.lists(st.sampled_from(KEYS), unique=True)):
            corrects = draw(st.sampled_from([each.id for each in made if each.tenant == tenant]))
            note = _invoice(tenant, f"{corrects}:credit:{key}")
            noted.append(replace(note, kind="note", corrects=corrects))
    every = sorted([*made, *gone, *noted], key=lambda it: (it.tenant, it.kind, it.id))
    return every, made, noted


def _invoice(tenant: str, name: str) -> Invoice:
    return Invoice(name, tenant, tenant, MONTH, "USD", (), b"", "")


@given(histories())
def test_each_stands_as_the_last_that_took_its_place(
    history: tuple[list[Invoice], list[Invoice], list[Invoice]],
) -> None:
    every, made, noted = history
    heads = heads_of(every, RECORD_COLUMNS)
    names = [each.id for each in every]
    found = made_by_close(heads, MONTH)["id"].to_pylist()
    assert found == sorted((each.id for each in made), key=names.index)
    credited = by_hand(heads, MONTH)["id"].to_pylist()
    assert credited == sorted((each.id for each in noted), key=names.index)


def test_the_tenth_time_comes_after_the_ninth() -> None:
    first = invoice_id("acme", MONTH)
    ids = [first, *(f"{first}#{time}" for time, _ in zip(count(2), range(9), strict=False))]
    heads = heads_of(sorted((_invoice("acme", name) for name in ids), key=_id), RECORD_COLUMNS)
    assert set(first_ids(heads).to_pylist()) == {first}
    assert made_by_close(heads, MONTH)["id"].to_pylist() == [f"{first}#10"]


def _id(invoice: Invoice) -> str:
    return invoice.id
