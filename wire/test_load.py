"""A crowd at a sleeping app: EC2's bucket is not emptied over and over, and nobody sees an error."""

from __future__ import annotations

from emulator import binary
from load import START_BUCKET, crowd
from stand import Moto

VISITS, STARTERS = 1_000, 20
AT_ONCE = START_BUCKET["size"] + 1


def test_a_crowd_wakes_once_for_each_starter_at_most_and_sees_no_error(moto: Moto) -> None:
    moto.gather("StartInstances", AT_ONCE)
    found = crowd(moto, VISITS, STARTERS, binary("starter"))
    print(found)
    assert found.errors == []
    assert len(found.took) == 3 * VISITS
    assert AT_ONCE <= found.starts <= STARTERS
    assert found.seen["202 waking"] >= 1, found.seen
    assert found.seen["202 already-waking"] >= 1, f"the bucket did not hold for all, and nobody was throttled: {found.seen}"
    assert found.seen["200 booting"] >= 1, found.seen
    assert moto.calls("DescribeInstances"), "they look before they start"
