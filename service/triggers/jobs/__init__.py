"""What a job asks for when it is due, or when a person has it done now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.catalogue.registry import action_spec
from service.domain.decisions.policy import Policy
from service.domain.decisions.requests import JOB, Origin, Request
from service.domain.jobs.jobs import Job
from service.domain.rules.rules import RuleBook
from service.ports.admission import NewRun


def claim_of(job: str) -> str:
    """The claim of a job's runs: each takes the next number of it."""
    return f"{job}.{JOB}"


def job_request(job: Job, book: RuleBook, why: str) -> Request:
    """The request that a job makes; its id comes with its claim.

    What holds for all rules holds for it too: the mode, freeze windows, limits and the budget.
    """
    action = action_spec(job.action)
    on = book.targets[job.target] if job.target is not None else None
    policy = book.policy
    claim = claim_of(job.name)
    return Request(
        id="",
        action=action.name,
        origin=Origin(JOB, job.name, why),
        claim=claim,
        rules_hash=book.hash,
        direction=action.direction_of(job.options),
        on=on,
        wanted=() if on is None else action.wanted(job.options),
        options=job.options,
        subject=claim if on is None else "",
        policy=Policy(policy.mode, policy.freezes, policy.limits, budget=policy.budget),
    )


def run_of(job: Job, book: RuleBook, why: str, now: float) -> Callable[[str], NewRun]:
    """Makes the run of the id that comes with the claim; runs of one target, or of one job, follow
    one another."""
    request = job_request(job, book, why)
    partition = request.claim if request.on is None else request.target.resource

    def made(run: str) -> NewRun:
        named = replace(request, id=run, subject=run if request.subject else "")
        return NewRun(named, partition, now)

    return made
