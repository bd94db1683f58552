"""A model that continues texts, asked over HTTP."""

from pathlib import Path

import tfpipe
from tests.serving.conftest import serving
from tfpipe import Pipeline
from tfpipe.data import Text
from tfpipe.data.tokens.sample_text import sample_text
from tfpipe.models import CharRNN
from tfpipe.verbs.predict import continue_text


def test_generate_is_a_signature_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text(sample_text(100, 6, "char", 0))

    class Lines(Pipeline):
        data = Text(str(file), windows=6, validation=0.2)
        model = CharRNN(units=8)
        epochs = 1

    export = tfpipe.run(Lines(), root=tmp_path, quiet=True).exported[0]
    rows = [
        {"prompt": "the fox ", "length": 8, "temperature": 0.0, "seed": 0},
        {"prompt": "a", "length": 3, "temperature": 0.5, "seed": 1},
    ]
    texts = [
        continue_text(str(export), r["prompt"], **{k: v for k, v in r.items() if k != "prompt"})
        for r in rows
    ]
    with serving({"lines": export.parent}) as client:
        body = {"signature_name": "generate", "instances": rows}
        assert client.predict(body, "lines") == (200, {"predictions": texts})
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        body = {"signature_name": "generate", "inputs": columns}
        assert client.predict(body, "lines") == (200, {"outputs": texts})
        status, answer = client.predict({"instances": [[1, 2, 3, 4, 5, 6]]}, "lines")
        assert status == 200
        assert len(answer["predictions"][0]) == 6
        assert client.ask("/")[0] == 200
        assert client.ask("/v1/models/lines/metadata")[0] == 200
