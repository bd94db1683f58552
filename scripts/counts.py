"""Counts, in a thousand lines, what should only ever fall, and fails when something has risen.

    counts.py [FOLDER]   print the counts of FOLDER/tfpipe beside the most that counts.json allows
    counts.py --lower    write down the present counts where they have fallen

A private function that is used once often says no more than its body, and a parameter typed `Any`
says nothing: neither is forbidden, and neither may become more frequent.
"""

import ast
import collections
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMITS = Path(__file__).with_suffix(".json")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def counts(folder: Path) -> dict[str, float]:
    """Return how often each habit occurs in a thousand lines of the modules below a folder."""
    total: collections.Counter[str] = collections.Counter()
    lines = 0
    for file in sorted(folder.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        lines += text.count("\n")
        nodes = list(ast.walk(ast.parse(text)))
        functions = [node for node in nodes if isinstance(node, Function)]
        uses = collections.Counter(
            node.id if isinstance(node, ast.Name) else node.attr
            for node in nodes
            if isinstance(node, ast.Name | ast.Attribute)
        )
        private = [f.name for f in functions if f.name[0] == "_" and f.name[:2] != "__"]
        total["private functions used once"] += sum(uses[name] == 1 for name in private)
        total["parameters typed Any"] += sum(map(_any_parameters, functions))
    return {name: round(1000 * count / lines, 1) for name, count in total.items()}


def _any_parameters(function: Function) -> int:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(isinstance(a.annotation, ast.Name) and a.annotation.id == "Any" for a in every)


def main(arguments: list[str]) -> int:
    lower = "--lower" in arguments
    folders = [a for a in arguments if a != "--lower"]
    now = counts(Path(folders[0] if folders else ROOT) / "tfpipe")
    limits = json.loads(LIMITS.read_text())
    for name, count in now.items():
        print(f"{name}: {count} (at most {limits[name]})")
    risen = [name for name in now if now[name] > limits[name]]
    if lower:
        lowered = {name: min(count, limits[name]) for name, count in now.items()}
        LIMITS.write_text(json.dumps(lowered, indent=2) + "\n")
    elif now != limits and not risen:
        print("Fallen: write it down with scripts/counts.py --lower.")
    for name in risen:
        print(f"There are more {name} than before: {now[name]}, not {limits[name]}.")
    return 1 if risen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
