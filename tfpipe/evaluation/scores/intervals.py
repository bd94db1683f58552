"""How far a share may be from what was counted."""


def interval(right: int, of: int) -> tuple[float, float]:
    """Return the 95% interval of a share by Wilson's score, which holds for few samples too.

    Args:
        right: how many were counted.
        of: among how many; at least one.
    """
    from scipy.stats import binomtest

    found = binomtest(right, of).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)
