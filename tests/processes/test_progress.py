import json
from pathlib import Path

from tfpipe.processes.progress import Progress


def test_how_far_it_is_is_told_twice_a_second_at_most(tmp_path: Path) -> None:
    now, file = [100.0], tmp_path / "progress.json"
    progress = Progress(file, lambda: now[0])

    def said() -> str:
        return str(json.loads(file.read_text())["doing"])

    assert not file.exists()
    with progress.waiting("building the model"):
        assert said() == "building the model"
    progress.features(32, 5000)
    assert said() == "computing features, 32 of 5,000"
    progress.features(64, 5000)
    assert said() == "computing features, 32 of 5,000"
    now[0] += 0.5
    progress.step(1, 3, 7, 110, 1000.0, 2.3)
    assert said() == "epoch 1 of 3, 7 of 110"
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]
