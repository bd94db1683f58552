"""What to try, in sentences that follow from what was measured."""

from collections.abc import Iterator, Mapping, Sequence

from tfpipe.evaluation.profile.parts import StepCost
from tfpipe.evaluation.profile.tries import Attempt
from tfpipe.text import milliseconds

MUCH = 0.15  # of the time, from which on a part is named
WORTH = 1.15  # times as fast, from which on a change is
_SAME = 1.02


def advice(
    whole: StepCost,
    tried: Sequence[Attempt],
    layers: Mapping[str, Mapping[str, float]],
    beside_input: float,
    steps: int,
    same_step: Sequence[float],
) -> Iterator[str]:
    """Yield what to look at and what to try, the greatest first.

    Args:
        whole: the parts of a step.
        tried: the changes that were measured.
        layers: the share of each layer in the time of all operations, and in what is computed;
            the greatest first.
        beside_input: how many times as long a step takes while the input works beside it.
        steps: how many an epoch has.
        same_step: seconds of one and the same step, measured now and then, five times or more.
    """
    taken, ms = {part.name: part for part in whole.parts}, 1e3 * whole.seconds
    fastest, *_, slowest = sorted(same_step)[1:-1]  # one of each may be chance
    if slowest >= WORTH * fastest:
        yield (
            f"One and the same step took from {milliseconds(1e3 * fastest)} to "
            f"{milliseconds(1e3 * slowest)} while this was measured, so something else uses the "
            "machine: measure again when it is quiet."
        )
    sentences: list[tuple[float, str]] = []
    if (share := taken["input"].share) >= MUCH:
        without = f"{milliseconds(ms * (1 - share))} instead of {milliseconds(ms)}"
        text = (
            f"Training waits for its input {share:.0%} of the time: without that a step would take "
            f"{without}. tfpipe data bench says which stage is slow, and tries what is faster."
        )
        sentences.append((share, text))
    elif beside_input >= WORTH:
        text = (
            f"While the input works beside it a step takes {beside_input:.2f} times as long as on "
            "a batch in memory: they share the processor. tfpipe data bench tries what is faster."
        )
        sentences.append((taken["input"].share, text))
    if (share := taken["callbacks"].share) >= MUCH:
        name, most = next(iter(whole.callbacks.items()))
        text = (
            f"Callbacks take {share:.0%} of the time, the most {name}: {milliseconds(1e3 * most)} "
            f"of {milliseconds(ms)} a step."
        )
        sentences.append((share, text))
    if (share := taken["validation"].share) >= MUCH:
        sentences.append((share, f"Validation, once in {steps:,} steps, takes {share:.0%}."))
    if (share := taken["epoch"].share) >= MUCH:
        text = f"Beginning an epoch, once in {steps:,} steps, takes {share:.0%} of the time."
        sentences.append((share, text))
    yield from (text for _, text in sorted(sentences, key=lambda pair: -pair[0]))
    for one in sorted(tried, key=lambda one: -one.factor):
        figures = f"{milliseconds(one.after)} instead of {milliseconds(one.before)}"
        if one.factor >= WORTH:
            remark = f", {one.remark}" if one.remark else ""
            yield f"Tried: {one.change}{remark}: {one.factor:.2f} times as fast, {figures}."
        else:
            slower = f"{1 / one.factor:.2f} times slower" if one.factor < 1 / _SAME else "no faster"
            verdict = "hardly faster" if one.factor > _SAME else slower
            yield f"Tried: {one.change}: {verdict}, {figures}."
    for name, shares in [*layers.items()][:1]:
        computed = f", for {shares['computed']:.0%} of what is computed"
        yield (
            f"The layer that costs most is {name}: {shares['time']:.0%} of the operations' time"
            f"{computed if shares['computed'] >= 0.005 else ''}."
        )
