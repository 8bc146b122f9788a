"""The two ways in which a payload can be no good: as a whole, or one alert of it.

They are apart because the answers are: a refused payload is a 4xx that the sender will not
repeat; an unusable alert is kept beside the others with its reason, and the answer is 200.
"""

from __future__ import annotations


class PayloadRefused(Exception):  # noqa: N818 - it names an answer (4xx), not a fault of ours
    """The payload can never be taken, however often it is sent.

    `status` is the HTTP status (415 or 422); `sentence` says why, without repeating the
    payload, for Alertmanager writes the answer into its own error log.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class UnusableAlertError(Exception):
    """One alert cannot be understood; the message names the field and what was wrong with it."""
