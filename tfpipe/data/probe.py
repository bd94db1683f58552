"""A probe of an address: whether it answers, known within seconds."""

import threading
import urllib.error
import urllib.parse
import urllib.request

REACH_SECONDS = 10.0


def unreachable(address: str, seconds: float = REACH_SECONDS) -> str | None:
    """Return why an address cannot be reached; None when it answers.

    The look-up of a name ignores time limits, so the whole probe runs beside and is abandoned.
    """
    answers: list[str | None] = []
    probe = threading.Thread(target=lambda: answers.append(_ask(address, seconds)), daemon=True)
    probe.start()
    probe.join(seconds)
    return answers[0] if answers else f"no answer within {seconds:g} s"


def _ask(address: str, seconds: float) -> str | None:
    request = urllib.request.Request(address, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=seconds / 2).close()
    except urllib.error.HTTPError as error:
        return None if error.code in (403, 405) else f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
    return None


def host_of(address: object) -> str:
    """Return the host's name of an address."""
    return str(urllib.parse.urlsplit(str(address)).hostname)
