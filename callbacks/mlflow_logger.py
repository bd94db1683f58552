"""MLflowLogger: a run in MLflow, with its parameters, its metrics, its report and its model.

callbacks = (tfpipe.deferred("callbacks.mlflow_logger").MLflowLogger(report=True),)
"""

import time
from pathlib import Path
from typing import Any

from callbacks.tracking import Tracking, as_text, parameters

_LONGEST = 500  # characters of a parameter; older servers take no more
_AT_ONCE = 100  # parameters in a request, of which no server takes more
_ENDS = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MLflowLogger(Tracking):
    """Reports a run to MLflow.

    The parameters are the fields as they were when the run began, which MLflow never changes; what
    differs when it is resumed is a tag.

    Args:
        experiment: its experiment; the pipeline's name when None.
        tracking_uri: where to; MLflow's own choice (MLFLOW_TRACKING_URI) when None.
        report: whether to log the run's report as an artifact when it is over.
        model: whether to log the model as an artifact: what was exported, else the best epoch's.
        tags: of the run, by name.

    Raises:
        ImportError: when mlflow is not installed.
        ValueError: for training without a run.
    """

    package = "mlflow"
    extra = "mlflow"

    def __init__(
        self,
        experiment: str | None = None,
        tracking_uri: str | None = None,
        report: bool = False,
        model: bool = False,
        tags: dict[str, str] | None = None,
    ) -> None:
        super().__init__(report, model)
        self.experiment = experiment
        self.tracking_uri = tracking_uri
        self.tags = tags or {}

    def begin(self, name: str, config: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        values = {n: as_text(v)[:_LONGEST] for n, v in parameters(config).items()}
        uri = self.tracking_uri or known.get("tracking_uri")
        self._client = self.library().MlflowClient(uri)
        if known:
            self._id = known["run_id"]
            begun = self._client.get_run(self._id).data.params
            self._client.update_run(self._id, status="RUNNING")
            for field, value in values.items():
                if begun.get(field) != value:
                    self._client.set_tag(self._id, f"resumed.{field}", value)
            return known
        experiment = self.experiment or config.get("name") or name.partition("/")[0]
        found = self._client.get_experiment_by_name(experiment)
        number = found.experiment_id if found else self._client.create_experiment(experiment)
        run = self._client.create_run(number, run_name=name, tags=self.tags)
        self._id = run.info.run_id
        entities = self.library().entities
        given = [entities.Param(field, value) for field, value in values.items()]
        for first in range(0, len(given), _AT_ONCE):
            self._client.log_batch(self._id, params=given[first : first + _AT_ONCE])
        return {"run_id": self._id, "tracking_uri": uri}

    def log(self, metrics: dict[str, float], epoch: int) -> None:
        entities, moment = self.library().entities, int(time.time() * 1000)
        measured = [entities.Metric(name, value, moment, epoch) for name, value in metrics.items()]
        self._client.log_batch(self._id, metrics=measured)

    def hand_over(self, kind: str, path: Path) -> None:
        hand_over = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        hand_over(self._id, str(path), kind)

    def end(self, state: str, message: str, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self._client.log_metric(self._id, name, value)
        if message:
            self._client.set_tag(self._id, "mlflow.note.content", message)
        self._client.set_terminated(self._id, _ENDS[state])
