"""Claims: one of several processes holds a thing, and knows when it has lost it."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tfpipe.tuning import claims as module
from tfpipe.tuning.claims import Claims

HAMMER = """
import sys
from pathlib import Path
from tfpipe.tuning.claims import Claims

with Claims(Path(sys.argv[1])) as claims:
    taken = [n for n in range(100) if claims.take(f"thing-{n}")]
    counter = Path(sys.argv[1]) / "counter"
    for _ in range(25):
        with claims.turn("counter"):
            counter.write_text(str(int(counter.read_text() or 0) + 1))
    print(*taken, flush=True)
    sys.stdin.read()
"""


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[Claims, Clock]]]:
    """Makes processes as if each were on a machine of its own, renewing only when told to."""
    made: list[Claims] = []

    def make() -> tuple[Claims, Clock]:
        clock = Clock()
        monkeypatch.setattr(module, "_machine", lambda: f"machine-{len(made)}")
        made.append(Claims(tmp_path, heartbeat=1e6, clock=clock))
        monkeypatch.setattr(module, "_machine", lambda: "another")
        return made[-1], clock

    yield make
    for claims in made:
        claims.close()


def renew(claims: Claims) -> None:
    """One heartbeat, now."""
    claims._beats += 1
    for name, generation in claims._held.items():
        claims._file(name, generation).write_text(claims._content())


def test_what_one_holds_another_cannot_take_until_it_is_released(member) -> None:
    one, another = member()[0], member()[0]
    assert one.take("a")
    assert one.take("a")  # again: it holds it
    assert not another.take("a")
    assert another.take("b")
    one.release("a")
    assert another.take("a")
    assert not one.holds("a")


def test_closing_releases_everything(member) -> None:
    one, another = member()[0], member()[0]
    assert one.take("a")
    one.close()
    assert another.take("a")


def test_a_holder_that_falls_silent_loses_it_and_knows(member) -> None:
    one, (another, clock) = member()[0], member()
    assert one.take("a")
    assert not another.free("a")  # seen for the first time
    clock.now += module.LEASE - 1
    assert not another.take("a")
    clock.now += 2
    assert another.take("a")
    assert not one.holds("a")
    assert one.lost == {"a"}
    one.release("a")  # what it has lost it cannot release
    assert another.holds("a")


def test_a_holder_that_renews_keeps_it_whatever_the_clocks_say(member) -> None:
    (one, _), (another, clock) = member(), member()
    clock.now += 1e6  # another machine's clock may be anything
    assert one.take("a")
    for _ in range(10):
        assert not another.take("a")
        clock.now += module.LEASE - 1
        renew(one)
    assert one.holds("a")


def test_of_two_who_see_it_expired_one_gets_it(member) -> None:
    one = member()[0]
    others = [member() for _ in range(2)]
    assert one.take("a")
    for claims, clock in others:
        assert not claims.free("a")
        clock.now += module.LEASE + 1
    assert [claims.take("a") for claims, _ in others] == [True, False]


def test_a_process_of_this_machine_that_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with Claims(tmp_path) as claims:
        owner = claims.owner.replace(f":{claims.owner.split(':')[1]}:", f":{ended.pid}:")
        content = {"owner": owner, "beat": 3, "released": False}
        (tmp_path / "a.1").write_text(json.dumps(content))
        (tmp_path / "b.1").write_text(json.dumps(content | {"owner": f"other{owner}"}))
        assert claims.take("a")
        assert not claims.take("b")


def test_a_claim_that_is_being_written_is_no_free_one(tmp_path: Path) -> None:
    (tmp_path / "a.1").write_text('{"owner": "x:1')
    with Claims(tmp_path) as claims:
        assert not claims.take("a")


def test_old_generations_are_removed(tmp_path: Path) -> None:
    with Claims(tmp_path) as claims:
        for _ in range(25):
            with claims.turn("a"):
                pass
        generations = sorted(int(file.suffix[1:]) for file in tmp_path.glob("a.*"))
        assert generations == list(range(6, 26))


def test_processes_that_claim_at_once(tmp_path: Path) -> None:
    (tmp_path / "counter").write_text("0")
    command = [sys.executable, "-c", HAMMER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    taken = [process.stdout.readline().split() for process in processes]
    for process in processes:
        process.communicate("")
        assert process.returncode == 0
    assert sorted(int(n) for one in taken for n in one) == list(range(100))
    assert (tmp_path / "counter").read_text() == "100"
