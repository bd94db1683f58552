"""WandbLogger: a run in Weights & Biases, with its parameters, its metrics, its report and model.

callbacks = (tfpipe.deferred("callbacks.wandb_logger").WandbLogger(project="flowers"),)
"""

import uuid
from pathlib import Path
from typing import Any

from callbacks.tracking import Tracking, parameters


class WandbLogger(Tracking):
    """Reports a run to Weights & Biases.

    What it writes on this machine lies in the run's directory. With `mode="offline"`, or
    WANDB_MODE=offline, that is all; `wandb sync` sends it later.

    Args:
        project: its project; the pipeline's name when None.
        entity: whose project; your own when None.
        group: of runs that belong together.
        mode: "online", "offline" or "disabled"; W&B's own choice (WANDB_MODE) when None.
        report: whether to log the run's report as an artifact when it is over.
        model: whether to log the model as an artifact: what was exported, else the best epoch's.

    Raises:
        ImportError: when wandb is not installed.
        ValueError: for training without a run.
    """

    package = "wandb"
    extra = "wandb"

    def __init__(
        self,
        project: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        mode: str | None = None,
        report: bool = False,
        model: bool = False,
    ) -> None:
        super().__init__(report, model)
        self.project = project
        self.entity = entity
        self.group = group
        self.mode = mode

    def begin(self, name: str, config: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        wandb = self.library()
        Path(self.run.directory).mkdir(parents=True, exist_ok=True)
        known = known or {
            "id": uuid.uuid4().hex[:8],
            "project": self.project or config.get("name") or name.partition("/")[0],
        }
        self._run = wandb.init(
            project=known["project"],
            entity=self.entity,
            group=self.group,
            name=name,
            id=known["id"],
            resume="allow",
            mode=self.mode,
            dir=str(self.run.directory),
            settings=wandb.Settings(console="off"),  # which would take our live line
        )
        self._run.config.update(parameters(config), allow_val_change=True)
        return known

    def log(self, metrics: dict[str, float], epoch: int) -> None:
        self._run.log({"epoch": epoch, **metrics}, step=epoch)

    def hand_over(self, kind: str, path: Path) -> None:
        artifact = self.library().Artifact(f"{kind}-{self._run.id}", kind)
        (artifact.add_dir if path.is_dir() else artifact.add_file)(str(path))
        self._run.log_artifact(artifact)

    def end(self, state: str, message: str, metrics: dict[str, float]) -> None:
        self._run.summary.update({**metrics, "state": state, "message": message})
        self._run.finish(exit_code=0 if state == "finished" else 1)
