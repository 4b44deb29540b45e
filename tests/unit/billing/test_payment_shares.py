"""Whatever a provider says was paid, is recorded: no more, no less, in whatever steps it came."""

from hypothesis import given
from hypothesis import strategies as st

from tollgate_billing.payments.shares import Share, allocate

DUES = st.lists(st.integers(1, 10**6), min_size=1, max_size=4)
PARTS = st.lists(st.fractions(0, 1), min_size=1, max_size=5)


@given(dues=DUES, tax=st.integers(0, 10**5), parts=PARTS)
def test_any_way_to_a_sum_ends_in_the_same_shares(dues: list[int], tax: int, parts: list[object]) -> None:
    total = sum(dues) + tax
    shares = [Share(f"st{number}", due, 0, 0) for number, due in enumerate(dues)]
    for part in parts:
        paid = int(total * part)  # type: ignore[operator]
        at_once = _after([Share(f"st{number}", due, 0, 0) for number, due in enumerate(dues)], total, tax, paid)
        shares = _after(shares, total, tax, paid)
        assert shares == at_once
        assert sum(share.paid_minor + share.tax_minor for share in shares) == paid
        assert all(0 <= share.paid_minor <= share.due_minor for share in shares)
    full = _after(shares, total, tax, total)
    assert [share.paid_minor for share in full] == dues
    assert sum(share.tax_minor for share in full) == tax
    assert allocate(full, total, tax, total) == []


def _after(shares: list[Share], total: int, tax: int, paid: int) -> list[Share]:
    steps = {step.subject: step for step in allocate(shares, total, tax, paid)}
    return [
        Share(
            share.subject,
            share.due_minor,
            share.paid_minor + (steps[share.subject].minor if share.subject in steps else 0),
            share.tax_minor + (steps[share.subject].tax_minor if share.subject in steps else 0),
        )
        for share in shares
    ]
