"""Which of a month's invoices stand, when some were made void, made again or credited since."""

from collections.abc import Iterable

from schemas.invoice import Invoice, first_id


def made_by_close(invoices: Iterable[Invoice]) -> list[Invoice]:
    """What the close made, of all invoices and notes of its month: each as it stands now.

    Of one that was made again it is the last that took its place: void only if nothing did. Credit
    notes by hand follow from no usage and are not among them.
    """
    latest = {
        first_id(each): each
        for each in sorted(invoices, key=lambda it: (len(it.id), it.id))
        if not each.is_by_hand
    }
    return list(latest.values())
