"""A model that is ready to answer, and whatever is asked of it, however much there is."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tfpipe.data.tokens.sentences import Sentences
from tfpipe.data.tokens.tokenizer import Tokenizer
from tfpipe.declare.formats import MOST_BEAM
from tfpipe.declare.spec import ElementSpec
from tfpipe.errors import ConfigError
from tfpipe.jobs.predict.answering import ServedModel, TrainedModel
from tfpipe.jobs.predict.images import ImageReader, reads_images
from tfpipe.jobs.predict.paths import any_there
from tfpipe.jobs.predict.prediction import Chunk, Prediction
from tfpipe.jobs.predict.rows import RowReader
from tfpipe.jobs.predict.written import Written
from tfpipe.tasks.detection import SHOWN, Box, Detection
from tfpipe.tasks.several import Several
from tfpipe.tasks.task import Task


@dataclass(frozen=True)
class Predictor:
    """A model that answers.

    Args:
        name: the pipeline's, the run's or the SavedModel's.
        load: loads the model, which takes a while.
        task: what its outputs mean.
        spec: what it reads and what its answers are called.
        notes: what a person must not overlook about the answers.
        written: how the files were written that it was trained on.
        decodes: whether the model itself decodes image files of a format that TensorFlow reads.
        beam: how many translations a model that translates keeps at each place.
    """

    name: str
    load: Callable[[], TrainedModel | ServedModel]
    task: Task
    spec: ElementSpec
    notes: tuple[str, ...] = ()
    written: Written = Written()  # noqa: RUF009 (it is frozen)
    decodes: bool = False
    beam: int = 1

    def with_beam(self, beam: int) -> "Predictor":
        """Return a model that keeps so many translations, and gives them.

        Raises:
            ConfigError: for a model that does not translate, and a beam below 1.
        """
        if not self.translates:
            raise ConfigError(
                f"{self.name} is of the task {self.task.title}, and a beam is for models that "
                "translate. Leave it out."
            )
        if not 1 <= beam <= MOST_BEAM:
            raise ConfigError(f"A beam of {beam} was asked for. Give 1 to {MOST_BEAM}, such as 4.")
        return replace(self, beam=beam)

    @property
    def translates(self) -> bool:
        """Whether it is given sentences, and answers with translations."""
        return self.task.judged_as == "translation"

    @property
    def gives_images(self) -> bool:
        """Whether it answers a picture with one."""
        return self.task.judged_as == "image"

    @property
    def finds_boxes(self) -> bool:
        """Whether it finds objects in a picture."""
        return isinstance(self.task, Detection)

    @property
    def reads_images(self) -> bool:
        """Whether it is asked about pictures; else about rows."""
        return reads_images(self.spec)

    @property
    def nouns(self) -> str:
        """What is answered one by one."""
        return "files" if self.reads_images else "sentences" if self.translates else "rows"

    @property
    def has_probabilities(self) -> bool:
        """Whether the answers are probabilities of classes; else they are real numbers."""
        return self.task.output == "probabilities"

    @property
    def outputs(self) -> dict[str, Task]:
        """The task of each output by name; the name of an only output is empty."""
        return self.task.parts if isinstance(self.task, Several) else {"": self.task}

    @cached_property
    def model(self) -> TrainedModel | ServedModel:
        """The model, loaded when it is first asked."""
        return self.load()

    def answers(
        self,
        paths: Iterable[str],
        top: int = 5,
        every: int = 1,
        images: bool = False,
        signs: bool = False,
        score: float = SHOWN,
    ) -> Iterator[Prediction]:
        """Yield what the model says of each item; see `in_parts`."""
        for some in self.in_parts(paths, top, every, images, signs, score):
            yield from some

    def in_parts(
        self,
        paths: Iterable[str],
        top: int = 5,
        every: int = 1,
        images: bool = False,
        signs: bool = False,
        score: float = SHOWN,
    ) -> Iterator[list[Prediction]]:
        """Yield what the model says of each item, in order; one that cannot be read has an error.

        However many there are, a few are in memory at a time, and what is known is given before
        standard input is waited for.

        Args:
            paths: files, folders, patterns, "-" for standard input.
            top: how many classes of each output to give.
            every: of a clip, one frame in so many.
            images: whether to give what the model saw, too.
            signs: whether each picture is a drawing or a photograph of one sign, such as a digit.
            score: that a box has to have.

        Raises:
            ConfigError: for signs where the model reads no grey pictures.
        """
        paths = [*paths]
        if signs and not (self.reads_images and self.spec.feature.shape[2] == 1):
            inputs = ", ".join(f"{f.name} of shape {f.shape}" for f in self.spec.features[:3])
            raise ConfigError(
                f"--signs is for models of grey pictures, and {self.name} reads {inputs}."
            )
        if any_there(paths):
            _ = self.model
        if self.reads_images:
            decodes = images or not self.decodes
            reader = ImageReader(self.spec.feature, every, decodes, signs, self.finds_boxes)
            chunks = reader.chunks(paths)
        else:
            chunks = RowReader(self.spec, self.name, self.written).chunks(paths)
        for chunk in chunks:
            rows = self._from_files(chunk) if chunk.encoded else {}
            sound = [i for i in range(len(chunk.places)) if i not in chunk.errors and i not in rows]
            if sound:
                if self.translates:
                    answers = self.model.translations(chunk.samples, self.beam)
                else:
                    answers = self.model(chunk.samples)
                rows |= zip(sound, answers, strict=True)
            notes = dict(zip(sound, self._notes(chunk), strict=False))
            seen = dict(zip(sound, *chunk.samples.values(), strict=True)) if images else {}
            yield [
                Prediction(place, error=chunk.errors[index])
                if index in chunk.errors
                else Prediction(
                    place,
                    {} if self.finds_boxes else self.task.named_outputs(rows[index], top),
                    note=notes.get(index, ""),
                    image=seen.get(index),
                    answer=rows[index] if self.gives_images else None,
                    boxes=self._boxes(rows[index], chunk.sizes.get(index), score),
                    picture=chunk.pictures.get(index),
                    size=chunk.sizes.get(index, (0, 0)),
                )
                for index, place in enumerate(chunk.places)
            ]

    def _boxes(self, answer: Any, size: tuple[int, int] | None, score: float) -> tuple[Box, ...]:
        """The boxes of an answer in pixels of its picture; none of another task."""
        if not isinstance(self.task, Detection) or size is None:
            return ()
        import numpy as np

        from tfpipe.data.boxes.placing import in_picture

        corners = in_picture(answer[None, :, :4], np.array([size]), self.spec.feature)[0].numpy()
        placed = np.concatenate([corners, answer[:, 4:]], axis=-1)
        return tuple(self.task.boxes(placed, least=score))

    def _notes(self, chunk: Chunk) -> Iterator[str]:
        """What must not be overlooked about each sentence; nothing of what is no sentence."""
        source = self.spec.features[0]
        if self.translates and chunk.samples and source.categories:
            for text in chunk.samples[source.name]:
                yield self._sentences.note(text.decode("utf-8", "replace"))

    @cached_property
    def _sentences(self) -> Sentences:
        """What cuts the sentences of a model that translates, made once for all chunks."""
        return Sentences(Tokenizer.of(self.spec.feature), self.spec.label.shape[0])

    def _from_files(self, chunk: Chunk) -> dict[int, Any]:
        """The answers to files that the model decodes itself.

        Where one of them is broken, each is asked for alone, and what is wrong with it is noted.
        """
        import tensorflow as tf

        from tfpipe.data.images.files import decoded
        from tfpipe.data.images.formats import NotReadable

        try:
            answers = self.model.files([*chunk.encoded.values()])
            return dict(zip(chunk.encoded, answers, strict=True))
        except tf.errors.OpError:
            if len(chunk.encoded) > 1:
                rows: dict[int, Any] = {}
                for index, file in chunk.encoded.items():
                    rows |= self._from_files(Chunk(chunk.places, chunk.errors, {index: file}))
                return rows
        ((index, _),) = chunk.encoded.items()
        try:  # Pillow says what is wrong, or reads what TensorFlow does not
            image = decoded(Path(chunk.places[index]), self.spec.feature)
        except NotReadable as error:
            chunk.errors[index] = str(error)
            return {}
        return {index: self.model({self.spec.feature.name: image[None]})[0]}
