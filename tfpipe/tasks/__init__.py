"""Tasks: the kinds of problem, one a file. What is in this folder is a task of tfpipe.

| task           | labels                  | last layer       | answer                  |
| -------------- | ----------------------- | ---------------- | ----------------------- |
| classification | one of several classes  | a logit a class  | softmax                 |
| binary         | one of two classes      | one logit        | sigmoid                 |
| multilabel     | several yes/no answers  | a logit an answer| sigmoid                 |
| language       | a text's next tokens    | a logit a token  | softmax at each place   |
| translation    | a sentence's translation| a logit a token  | the translation         |
| detection      | boxes with classes      | what its head says| boxes, scores, classes |
| images         | an image                | an image         | the image               |
| picture        | none: it is painted     | a picture        | the picture             |
| regression     | real numbers            | a value a number | the value               |
| several        | a label for each output | one a output     | those of its tasks      |

Logits, not probabilities, leave the model: the losses are stable on them. Probabilities are made of
them for prediction and export.
"""

import pkgutil
from importlib import import_module

from tfpipe.tasks.task import Task, label_kind_of, task_for

__all__ = ["Task", "label_kind_of", "task_for"]

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
