"""Sets of images with boxes, written as each source reads them."""

import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

NAMES = ("cat", "dog", "bus")
HEIGHT, WIDTH = 24, 36

Corners = tuple[float, float, float, float]


class Scene(NamedTuple):
    """An image with objects: a class and corners in pixels of each."""

    image: np.ndarray
    objects: list[tuple[str, Corners]]


def scenes(count: int, seed: int, most: int = 3) -> list[Scene]:
    """Images of noise, no two alike, with one object at least."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        objects = []
        for _ in range(int(rng.integers(1, most + 1))):
            x, y = rng.integers(0, WIDTH - 8), rng.integers(0, HEIGHT - 8)
            w, h = rng.integers(4, 9, 2)
            name = NAMES[int(rng.integers(len(NAMES)))]
            objects.append((name, (float(x), float(y), float(x + w), float(y + h))))
        found.append(Scene(image, objects))
    return found


def write_image(file: Path, image: np.ndarray, **options: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(file, **options)
    return file


def xml_of(size: tuple[int, int] | None, objects: Iterable[tuple[str, Sequence[Any]]]) -> str:
    """A Pascal VOC annotation; size is (height, width)."""
    sides = ("xmin", "ymin", "xmax", "ymax")
    text = "<annotation><filename>x</filename>"
    if size:
        text += f"<size><width>{size[1]}</width><height>{size[0]}</height></size>"
    for name, corners in objects:
        box = "".join(f"<{s}>{c}</{s}>" for s, c in zip(sides, corners, strict=False))
        text += f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"
    return text + "</annotation>"


def write_voc(root: Path, splits: dict[str, list[Scene]]) -> Path:
    lists = root / "ImageSets/Main"
    lists.mkdir(parents=True)
    (root / "Annotations").mkdir()
    for split, some in splits.items():
        names = [f"{split}-{i}" for i in range(len(some))]
        (lists / f"{split}.txt").write_text("\n".join(names))
        for name, scene in zip(names, some, strict=True):
            write_image(root / "JPEGImages" / f"{name}.png", scene.image)
            text = xml_of((HEIGHT, WIDTH), scene.objects)
            (root / "Annotations" / f"{name}.xml").write_text(text)
    return root


def coco_of(some: list[Scene], names: Callable[[int], str]) -> dict[str, Any]:
    """What a file of COCO's holds; the ids of categories have gaps and are in another order."""
    images, annotations = [], []
    for row, scene in enumerate(some):
        images.append({"id": 100 + row, "file_name": names(row), "height": HEIGHT, "width": WIDTH})
        for name, (x1, y1, x2, y2) in scene.objects:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": 100 + row,
                    "category_id": 10 * NAMES.index(name) + 7,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "iscrowd": 0,
                }
            )
    categories = [{"id": 10 * i + 7, "name": n} for i, n in enumerate(NAMES)][::-1]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(root: Path, splits: dict[str, list[Scene]]) -> Path:
    (root / "annotations").mkdir(parents=True)
    for split, some in splits.items():
        for row, scene in enumerate(some):
            write_image(root / f"{split}2017" / f"{row:05}.png", scene.image)
        content = coco_of(some, lambda row: f"{row:05}.png")
        (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))
    return root


def yolo_line(name: str, corners: Corners) -> str:
    x1, y1, x2, y2 = corners
    middle = (x1 + x2) / 2 / WIDTH, (y1 + y2) / 2 / HEIGHT
    size = (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT
    return f"{NAMES.index(name)} " + " ".join(f"{v:.8f}" for v in (*middle, *size))


def write_yolo(root: Path, splits: dict[str, list[Scene]]) -> Path:
    for split, some in splits.items():
        (root / "labels" / split).mkdir(parents=True)
        for row, scene in enumerate(some):
            write_image(root / "images" / split / f"{row}.png", scene.image)
            lines = [yolo_line(name, corners) for name, corners in scene.objects]
            (root / "labels" / split / f"{row}.txt").write_text("\n".join(lines))
    (root / "classes.txt").write_text("\n".join(NAMES) + "\n")
    return root


def write_tfds(folder: Path, splits: dict[str, list[Any]]) -> Path:
    """Prepare "voc/2007" of TensorFlow Datasets with other images.

    Each is a scene, or a pair of an encoded image and objects, whose corners are shares.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder("voc/2007", data_dir=folder)

    def examples(some: list[Any]) -> Any:
        for number, one in enumerate(some):
            if isinstance(one, Scene):
                content = io.BytesIO()
                Image.fromarray(one.image).save(content, "PNG")
                encoded = content.getvalue()
                scale = (WIDTH, HEIGHT) * 2
                objects: list[Any] = [
                    (n, *(c / s for c, s in zip(corners, scale, strict=True)), False)
                    for n, corners in one.objects
                ]
            else:
                encoded, objects = one
            yield (
                f"{number:05}",
                {
                    "image": io.BytesIO(encoded),
                    "image/filename": f"{number:05}.jpg",
                    "objects": [
                        {
                            "label": name,
                            "bbox": tfds.features.BBox(ymin=y1, xmin=x1, ymax=y2, xmax=x2),
                            "pose": "unspecified",
                            "is_truncated": False,
                            "is_difficult": difficult,
                        }
                        for name, x1, y1, x2, y2, difficult in objects
                    ],
                    "labels": [],
                    "labels_no_difficult": [],
                },
            )

    download = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP)
    with pytest.MonkeyPatch.context() as patch:
        generators = {name: examples(some) for name, some in splits.items()}
        patch.setattr(type(builder), "_split_generators", lambda self, dl, *_: generators)
        builder.download_and_prepare(download_config=download)
    return folder
