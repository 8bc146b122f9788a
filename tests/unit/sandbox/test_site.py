"""The sandbox's QuizMentor as a load test meets it."""

from __future__ import annotations

from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.config import SandboxConfig
from service.sandbox.core.wire import Answer, Call
from service.sandbox.dispatch import dispatch
from service.sandbox.quizmentor.site import ALONE_S, LONGEST_WAIT_S, change_site, site_json, visit
from tests.unit.sandbox.support import APP, HandClock, Sandbox

RIGHT = {"email": "a@example.com", "password": "password"}


def test_a_user_logs_in_gets_a_quiz_submits_it_and_reads_the_results() -> None:
    sandbox = Sandbox()
    token = sandbox.call("POST", "/auth/login", RIGHT, token=None).get_json()["token"]
    questions = sandbox.call("GET", "/api/quiz", token=token).get_json()["questions"]
    assert len(questions) == 5
    assert sandbox.call("GET", "/api/quiz/results", token=token).status_code == 404
    answers = {"answers": [0, 1, 2, 3, 1]}
    assert sandbox.call("POST", "/api/quiz/submit", answers, token=token).json == {"score": 4}
    results = sandbox.call("GET", "/api/quiz/results", token=token)
    assert results.json == {"answers": [0, 1, 2, 3, 1], "score": 4}


def test_without_a_login_everything_is_refused() -> None:
    sandbox = Sandbox()
    wrong = {**RIGHT, "password": "guessed"}
    assert sandbox.call("POST", "/auth/login", wrong, token=None).status_code == 401
    token = sandbox.call("POST", "/auth/login", RIGHT, token=None).get_json()["token"]
    other = token[:-1] + ("0" if token[-1] != "0" else "1")
    for bad in (None, "guessed", "61.62", other):
        for path in ("/api/quiz", "/api/quiz/results"):
            assert sandbox.call("GET", path, token=bad).status_code == 401
    assert sandbox.call("POST", "/api/quiz/submit", {"answers": []}, token=token).status_code == 422


class _Visitors:
    """Come to a cloud whose clock stands still, unless it is moved."""

    def __init__(self, rps_per_vcpu: float) -> None:
        self.clock = HandClock()
        self.cloud = Cloud(SandboxConfig(action_seconds=0.0), self.clock)
        change_site(self.cloud, {"rps_per_vcpu": rps_per_vcpu}, self.clock.now)

    def come(self, phase: str = "") -> Answer:
        with self.cloud.at_now() as now:
            call = Call("quizmentor", "POST", "/auth/login", {}, RIGHT, b"", "", "", now)
            return visit(self.cloud, call, phase)

    def answered(self, count: int) -> int:
        return [self.come().status for _ in range(count)].count(200)


def test_requests_wait_for_those_before_them_and_are_refused_when_they_would_wait_too_long() -> (
    None
):
    visitors = _Visitors(10)  # 2 instances with a vCPU each: 20 a second
    assert round(visitors.come().takes_s, 6) == round(ALONE_S + 1 / 20, 6)
    assert round(visitors.come().takes_s, 6) == round(ALONE_S + 2 / 20, 6)
    assert visitors.answered(1_000) == LONGEST_WAIT_S * 20 - 1
    visitors.clock.pass_by(1.0)
    assert visitors.answered(1_000) == 20, "a second has room for as many again"


def test_more_instances_answer_more() -> None:
    visitors = _Visitors(10)
    few = visitors.answered(1_000)
    _Scaled(visitors.cloud, visitors.clock).to(6)
    visitors.clock.pass_by(60.0)
    assert visitors.answered(1_000) == 3 * (few - 1) + 1
    assert site_json(visitors.cloud)["capacity_rps"] == 60


class _Scaled:
    """Scales the app as its vendor does."""

    def __init__(self, cloud: Cloud, clock: HandClock) -> None:
        self._cloud, self._clock = cloud, clock

    def to(self, instances: int) -> None:
        def call(method: str, body: Any = None) -> Any:
            path = f"/v2/apps/{APP}"
            asked = Call("digitalocean", method, path, {}, body, b"", "test-token", "", 0.0)
            answer = dispatch(self._cloud, asked)
            assert answer is not None
            assert answer.status == 200, answer
            return answer.body

        spec = call("GET")["app"]["spec"]
        spec["services"][0]["instance_count"] = instances
        call("PUT", {"spec": spec})
        with self._cloud.at_now():
            assert self._cloud.capacity().instances == instances


def test_what_was_asked_is_counted_by_phase_and_bounded() -> None:
    visitors = _Visitors(100_000)
    for number in range(300):
        visitors.come(f"phase {number}")
    visitors.come("phase 0")
    counted = site_json(visitors.cloud)["requests"]
    assert len(counted) == 100
    assert {"phase": "phase 0", "path": "/auth/login", "status": 200, "count": 2} in counted


def test_the_control_sets_how_much_a_vcpu_answers_and_refuses_what_is_no_number() -> None:
    sandbox = Sandbox()
    said = sandbox.call("POST", "/_sandbox/site", {"rps_per_vcpu": 7}).get_json()
    assert said["capacity_rps"] == 14
    for bad in ({"rps_per_vcpu": 0}, {"rps_per_vcpu": True}, {"rps_per_vcpu": "x"}, {"other": 1}):
        assert sandbox.call("POST", "/_sandbox/site", bad).status_code == 422
    assert sandbox.call("POST", "/_sandbox/site", {"requests": []}).get_json()["requests"] == []
