"""How well secrets are masked, and whether the time grows with the text only.

`python -m benchmarks.masking`: both halves of the list in `tests/security`, then texts of 50 and 200 kB of hostile
pieces: four times the text should take four times as long, whatever is in it.
"""

import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from security import secrets_held_out, secrets_tuned
from security.measuring import measure

from langgraph_learning.masking import mask_secrets

PIECES = [
    "1",
    "1 ",
    "4111 ",
    "4111-",
    "=",
    '"',
    "aGVsbG8gd29ybGQ",
    "aB3/",
    "eyJ",
    "sk-",
    "://a:",
    "DE89 3704 ",
    " ",
    "-",
]
PIECES += [
    "password=",
    "password for ",
    'password="',
    "set password ",
    "-----BEGIN ",
    "cookie: a=b; ",
    "PIN for a ",
    "密码是",
]


def seconds(text: str) -> float:
    """Return the processor's time for one text, the best of three."""
    times = []
    for _ in range(3):
        start = time.process_time()
        mask_secrets(text)
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    for name, half in (("tuned", secrets_tuned), ("held out", secrets_held_out)):
        score = measure(mask_secrets, half.SECRETS, half.NEAR_MISSES)
        secrets, near = len(half.SECRETS), len(half.NEAR_MISSES)
        print(f"{name}: {secrets - len(score.missed)} of {secrets} masked, {len(score.changed)} of {near} changed")
    ratios = {}
    for piece in PIECES:
        small, large = (seconds((piece * size)[:size]) for size in (50_000, 200_000))
        ratios[piece] = large / small
        print(f"{piece!r:18} 50 kB {small * 1000:6.0f} ms, 200 kB {large * 1000:6.0f} ms: {ratios[piece]:.1f} times")
    print(f"worst: {max(ratios.values()):.1f} times for 4 times the text")


if __name__ == "__main__":
    main()
