"""Loading a pipeline from FILE or FILE::ClassName."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tfpipe import Pipeline
from tfpipe.data import TFDS
from tfpipe.declare.loading import from_instance, load
from tfpipe.errors import ConfigError, PipelineFileError, TfpipeError
from tfpipe.models import MLP

HEAD = """\
from tfpipe import Pipeline, deferred, keras
from tfpipe.data import TFDS
from tfpipe.models import MLP

"""
ONE = (
    HEAD
    + """
class Job(Pipeline):
    data = TFDS("mnist")
    model = MLP()
"""
)
SEVERAL = (
    ONE
    + """

class Deep(Job):
    model = MLP(units=(64, 64))


class _Hidden(Job):
    pass
"""
)
ABSTRACT = (
    HEAD
    + """
class Base(Pipeline):
    data = TFDS("mnist")


class Real(Base):
    model = MLP()
"""
)


class OfThisFile(Pipeline):
    data = TFDS("mnist")
    model = MLP()


def refused(target, *overrides, kind=PipelineFileError):
    with pytest.raises(kind) as error:
        load(target, overrides)
    assert type(error.value) is kind
    return str(error.value)


# What is found, and what it is called


def test_the_only_pipeline_is_meant(project):
    folder = project({"pipelines/digits.py": ONE})
    loaded = load("pipelines/digits.py", ["epochs=3"])
    assert type(loaded.pipeline).__name__ == "Job"
    assert (loaded.pipeline.epochs, loaded.declared.epochs) == (3, 10)
    assert loaded.path == folder / "pipelines" / "digits.py"
    assert loaded.name == "digits"
    assert loaded.overrides == ("epochs=3",)


@pytest.mark.parametrize(
    ("file", "chosen", "cls", "name"),
    [
        ("job.py", "", "Job", "job"),
        ("job.py", "::Deep", "Deep", "job.Deep"),
        ("job.py", "::Job", "Job", "job.Job"),
        ("d_e_e_p.py", "", "Deep", "d_e_e_p"),
    ],
)
def test_of_several_the_one_with_the_files_name_is_meant(project, file, chosen, cls, name):
    project({file: SEVERAL})
    loaded = load(f"{file}{chosen}")
    assert (type(loaded.pipeline).__name__, loaded.name) == (cls, name)


def test_one_alone_keeps_the_files_name_when_it_is_chosen(project):
    project({"digits.py": ONE})
    assert load("digits.py::Job").name == "digits"


def test_abstract_bases_are_left_out(project):
    project({"digits.py": ABSTRACT})
    loaded = load("digits.py")
    assert (type(loaded.pipeline).__name__, loaded.name) == ("Real", "digits")


def test_imported_pipelines_are_left_out(project):
    project({"base.py": ONE, "mine.py": "from base import Job\nclass Mine(Job):\n    epochs = 1\n"})
    assert type(load("mine.py").pipeline).__name__ == "Mine"


def test_an_edited_file_is_read_again(project):
    project({"digits.py": ONE + "    epochs = 3\n"})
    assert load("digits.py").pipeline.epochs == 3
    project({"digits.py": ONE + "    epochs = 4\n"})
    assert load("digits.py").pipeline.epochs == 4


def test_loading_leaves_nothing_in_the_folder(project, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    folder = project({"digits.py": ONE})
    load("digits.py")
    assert [p.name for p in folder.iterdir()] == ["digits.py"]


def test_the_projects_callbacks_can_be_imported_from_pipelines(project):
    project(
        {
            "callbacks/names.py": "NAME = 'of the project'\n",
            "pipelines/digits.py": "from callbacks.names import NAME\n"
            + ONE
            + "    title: str = NAME\n",
        }
    )
    assert load("pipelines/digits.py").pipeline.title == "of the project"


def test_a_pipeline_made_in_python_is_named_as_load_would(project):
    project({"digits.py": ONE, "several.py": SEVERAL})
    assert from_instance(load("digits.py").pipeline).name == "digits"
    assert from_instance(load("several.py::Deep").pipeline).name == "several.Deep"
    assert from_instance(OfThisFile()).name == "test_loading"
    assert from_instance(OfThisFile()).path == Path(__file__)


def test_a_local_pipeline_is_named_after_its_file_and_class():
    class Local(OfThisFile):
        pass

    assert from_instance(Local()).name == "test_loading.Local"


# Files that are not there


def test_a_missing_file_is_suggested(project):
    project({"pipelines/digits.py": ONE})
    assert refused("pipelines/digit.py") == (
        "There is no file 'pipelines/digit.py'. Did you mean 'pipelines/digits.py'?"
    )
    assert refused("pipelines/digits") == (
        "There is no file 'pipelines/digits'. Did you mean 'pipelines/digits.py'?"
    )
    assert refused("digits.py") == (
        "There is no file 'digits.py'. Did you mean 'pipelines/digits.py'?"
    )
    assert refused("pipelines/xyz.py::Job") == (
        "There is no file 'pipelines/xyz.py'. Did you mean 'pipelines/digits.py'?"
    )


def test_one_colon_before_a_class_is_one_too_few(project):
    project({"pipelines/digits.py": ONE})
    assert refused("pipelines/digits.py:Job") == (
        "There is no file 'pipelines/digits.py:Job'. A class of a file is pipelines/digits.py::Job."
    )


def test_a_missing_file_in_an_empty_folder(project):
    project({})
    assert refused("nowhere/digits.py") == "There is no file 'nowhere/digits.py'."


def test_folders_and_other_files_are_refused(project):
    project({"pipelines/notes.txt": ""})
    assert refused("pipelines") == (
        "pipelines is a folder: name a pipeline file in it, ending in .py."
    )
    assert refused("pipelines/notes.txt") == (
        "pipelines/notes.txt is no Python file: a pipeline file ends in .py."
    )


# Files that do not import


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "x = 1\nimport nosuch\n",
            "digits.py:2 does not import: ModuleNotFoundError: No module named 'nosuch'\n"
            "    import nosuch",
        ),
        (
            "def half(x):\n    return x / 0\n\nhalf(1)\n",
            "digits.py:2 does not import: ZeroDivisionError: division by zero\n    return x / 0",
        ),
        (
            "x = 1\nclass Job(:\n    pass\n",
            "digits.py:2 does not import: SyntaxError: invalid syntax\n    class Job(:",
        ),
        (
            "import sys\nsys.exit('no')\n",
            "digits.py:2 does not import: SystemExit: no\n    sys.exit('no')",
        ),
        (
            "import json\njson.loads('{')\n",
            "digits.py:2 does not import: JSONDecodeError: Expecting property name enclosed in "
            "double quotes: line 1 column 2 (char 1)\n    json.loads('{')",
        ),
    ],
)
def test_the_users_own_error_has_file_line_and_source(project, source, message):
    project({"digits.py": source})
    assert refused("digits.py") == message


@pytest.mark.parametrize(
    ("helper", "message"),
    [
        (
            "x = 1\nraise RuntimeError('boom')\n",
            "digits.py:2 does not import: helper.py:2: RuntimeError: boom\n"
            "    raise RuntimeError('boom')",
        ),
        (
            "x = 1\n\nx = = 2\n",
            "digits.py:2 does not import: helper.py:3: SyntaxError: invalid syntax\n    x = = 2",
        ),
    ],
)
def test_an_error_in_an_imported_file_names_that_file(project, helper, message):
    project({"digits.py": "\nimport helper\n", "helper.py": helper})
    assert refused("digits.py") == message


def test_an_error_in_the_text_encoding(project):
    folder = project({})
    (folder / "digits.py").write_bytes(b"x = '\xff'\n")
    assert refused("digits.py").startswith("digits.py:1 does not import: SyntaxError: ")


def test_a_wrong_declaration_has_file_and_line(project):
    project({"digits.py": HEAD + "class Job(Pipeline):\n    epoch = 3\n"})
    assert refused("digits.py", kind=ConfigError) == (
        "digits.py:5: Job has no field 'epoch'. Did you mean 'epochs'?"
    )
    project({"digits.py": HEAD + "class Job(Pipeline):\n    model = MLP(\n        unit=3)\n"})
    assert refused("digits.py", kind=ConfigError) == (
        "digits.py:6: MLP has no field 'unit'. Did you mean 'units'?"
    )


def test_a_value_that_does_not_fit_names_the_file(project):
    project({"digits.py": ONE + "    epochs = '3'\n"})
    assert refused("digits.py", kind=ConfigError) == (
        "digits.py: Job.epochs takes a whole number of at least 1, got '3' (str)."
    )


def test_an_error_keeps_its_kind(project):
    source = "from tfpipe.errors import DataError\nraise DataError('no data here')\n"
    project({"digits.py": source})
    with pytest.raises(TfpipeError) as error:
        load("digits.py")
    assert type(error.value).__name__ == "DataError"
    assert str(error.value) == "digits.py:2: no data here"


def test_a_file_that_failed_leaves_no_module(project):
    project({"digits.py": "raise RuntimeError('boom')\n"})
    before = set(sys.modules)
    refused("digits.py")
    assert set(sys.modules) <= before


# Files in which no pipeline can be chosen


def test_a_file_without_a_pipeline(project):
    project({"digits.py": HEAD})
    assert refused("digits.py") == (
        "digits.py holds no pipeline: it needs a class that derives from tfpipe.Pipeline."
    )


def test_several_without_the_files_name(project):
    project({"digits.py": SEVERAL})
    assert refused("digits.py") == (
        "digits.py holds several pipelines (Job, Deep) and none bears its name: "
        "choose one with digits.py::Job."
    )


def test_several_abstract_ones(project):
    project({"digits.py": HEAD + "class A(Pipeline):\n    pass\nclass B(Pipeline):\n    pass\n"})
    assert refused("digits.py") == (
        "digits.py holds several pipelines (A, B) and none bears its name: "
        "choose one with digits.py::A."
    )


def test_an_abstract_one_says_what_it_lacks(project):
    project({"digits.py": ABSTRACT})
    assert refused("digits.py::Base", kind=ConfigError) == (
        "digits.py: Base has no model: declare model = MLP(...) or another builder from "
        "tfpipe.models, or override build_model(self)."
    )


def test_an_unknown_class_is_suggested(project):
    project({"digits.py": SEVERAL})
    assert refused("digits.py::Jobb") == ("digits.py has no pipeline 'Jobb'. Did you mean 'Job'?")
    assert refused("digits.py::Xyz") == "digits.py has no pipeline 'Xyz'. There is: Deep, Job."


def test_a_wrong_override_is_refused(project):
    project({"digits.py": ONE})
    assert refused("digits.py", "epoch=3", kind=ConfigError) == (
        "epoch=3: Job has no field 'epoch'. Did you mean 'epochs'?"
    )


def test_a_pipeline_of_a_prompt_is_named_after_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Python reads from its standard input has the file name `<stdin>`."""
    module = ModuleType("typed")
    module.__file__ = "<stdin>"
    monkeypatch.setitem(sys.modules, "typed", module)
    cls = type("Typed", (Pipeline,), {"data": TFDS("mnist"), "model": MLP(), "__module__": "typed"})
    loaded = from_instance(cls())
    assert (loaded.name, loaded.path) == ("Typed", None)
