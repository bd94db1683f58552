"""The 80 classes of COCO, and the numbers that its annotations and published detectors give them.

Lin and others, 2014, arXiv:1405.0312. The numbers go from 1 to 90: ten of the classes that were
planned between these have no boxes, and their numbers are left out.
"""

_NAMES = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, "
    "fire hydrant, , stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, "
    "bear, zebra, giraffe, , backpack, umbrella, , , handbag, tie, suitcase, frisbee, skis, "
    "snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, "
    "tennis racket, bottle, , wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, "
    "orange, broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, , "
    "dining table, , , toilet, , tv, laptop, mouse, remote, keyboard, cell phone, microwave, oven, "
    "toaster, sink, refrigerator, , book, clock, vase, scissors, teddy bear, hair drier, toothbrush"
)


def ids() -> dict[str, int]:
    """Return the number of each class by its name, from 1 to 90 with gaps, in order."""
    return {name: i for i, name in enumerate(_NAMES.split(", "), 1) if name}


def classes() -> tuple[str, ...]:
    """Return the 80 names in order."""
    return tuple(ids())
