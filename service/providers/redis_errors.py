"""What redis-py raises, as what it means for whoever asked a server of Redis or Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from service.domain.errors import FailureKind, VendorError
from service.providers.errors import Call, in_words, never_sent, no_answer, quote

_NOT_NOW = (
    redis.exceptions.BusyLoadingError,
    redis.exceptions.TryAgainError,
    redis.exceptions.ClusterDownError,  # and where a replica has lost its primary
)
_NOT_NOW_WORDS = ("BUSY", "NOREPLICAS")
"""The first words of refusals for which redis-py has no class. All of these end by themselves, and
the server has done nothing."""
_MAYBE = "IOERR"
"""The first word where a node had no answer from another one: some keys may have moved."""


@contextmanager
def asking(call: Call, setting: str) -> Iterator[None]:
    """Turn what redis-py raises into VendorError. `setting` is where the address is set."""
    try:
        yield
    except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as problem:
        sentence = (
            f'{call.who} refused to {call.operation}: "{quote(call, str(problem))}". Check '
            f"the user and the password in {setting}, and what that user may do."
        )
        raise call.error(FailureKind.PERMANENT, sentence) from problem
    except _NOT_NOW as problem:
        raise _not_now(call, problem) from problem
    except (redis.TimeoutError, OSError) as problem:
        raise no_answer(call, problem) from problem
    except redis.ConnectionError as problem:
        sent = not isinstance(problem.__cause__ or problem.__context__, ConnectionRefusedError)
        raise (no_answer if sent else never_sent)(call, problem) from problem
    except redis.ResponseError as problem:
        raise _refused(call, problem) from problem
    except redis.RedisError as problem:
        raise no_answer(call, problem) from problem


def _refused(call: Call, problem: redis.ResponseError) -> VendorError:
    words = str(problem)
    if words.startswith(_NOT_NOW_WORDS):
        return _not_now(call, problem)
    if words.startswith(_MAYBE):
        return no_answer(call, problem)
    sentence = f'{call.who} refused to {call.operation}: "{quote(call, words)}".'
    return call.error(FailureKind.PERMANENT, sentence)


def _not_now(call: Call, problem: Exception) -> VendorError:
    words = quote(call, in_words(problem))
    return call.error(FailureKind.TEMPORARY, f'{call.who} cannot {call.operation} now: "{words}".')
