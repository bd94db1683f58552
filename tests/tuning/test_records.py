"""How often what a search has shown is written down."""

from pathlib import Path

import pytest
from searches import made, trial

from tfpipe.tuning.records import Records
from tfpipe.tuning.store import Search


@pytest.mark.parametrize(("takes", "after"), [(0.0, 5.0), (0.1, 5.0), (4.0, 80.0)])
def test_reports_take_little_of_the_time_of_a_search(
    small: Path, monkeypatch: pytest.MonkeyPatch, takes: float, after: float
) -> None:
    now, written = [100.0], []

    def write(_: Search) -> None:
        written.append(now[0])
        now[0] += takes

    monkeypatch.setattr("tfpipe.tuning.records.write_report", write)
    records = Records(made(small, trial("00", 0.5)), lambda: now[0])
    records.trial_ended()
    now[0] += after - 0.5
    records.trial_ended()
    assert written == [100.0]
    now[0] += 0.5
    records.trial_ended()
    assert len(written) == 2
    records.close("finished")
    assert len(written) == 3, "the last one comes at once"
