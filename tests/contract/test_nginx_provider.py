"""The port of nginx: the fake, the sandbox over HTTP, and this machine with Debian's nginx."""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from service.catalogue.nginx.digest import digest_on_disk
from service.catalogue.nginx.render import render
from service.catalogue.nginx.target import NginxTarget
from service.domain.errors import FailureKind, VendorError
from service.ports.nginx import Nginx, Place
from service.providers.nginx import MOST_KEPT, LocalNginx, NginxCommand
from service.providers.nginx_sandbox import SandboxNginx
from tests.fakes.clock import FakeClock
from tests.fakes.nginx import FakeNginx
from tests.fakes.runs import EDGE
from tests.nginx import PATIENCE_S, Balancer, free_port, nginx_under, servers
from tests.unit.sandbox.support import served

OURS = Place("edge", EDGE.file, EDGE.main, EDGE.check_port)


@dataclass
class Lab:
    """A port, a target whose server answers, and how a file of nginx's own is broken."""

    nginx: Nginx
    place: Place
    target: NginxTarget
    settle: Callable[[Callable[[], bool]], None]


def at_once(condition: Callable[[], bool]) -> None:
    assert condition()


def eventually(condition: Callable[[], bool]) -> None:
    """A reload is over a moment after its command."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture(params=["fake", "sandbox", "real"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    if request.param == "fake":
        yield Lab(FakeNginx(FakeClock()), OURS, EDGE, at_once)
        return
    if request.param == "sandbox":
        with served() as sandbox:
            nginx = SandboxNginx(base_url=f"{sandbox.url}/nginx")
            yield Lab(nginx, OURS, EDGE, at_once)
            nginx.close()
        return
    with nginx_under(tmp_path) as balancer, servers(200) as (server,):
        local = LocalNginx(balancer.command)
        yield Lab(local, balancer.place, balancer.target(server.address), eventually)
        local.close()


def test_a_file_is_put_in_its_place_and_is_in_force_once_it_was_loaded(lab: Lab) -> None:
    text = render(lab.target)
    empty = lab.nginx.look(lab.place)
    assert (empty.text, empty.in_force, empty.running, empty.included) == (None, "", True, True)
    lab.nginx.write(lab.place, text)
    written = lab.nginx.look(lab.place)
    assert (written.text, written.in_force) == (text, "")
    lab.nginx.reload(lab.place)
    lab.settle(lambda: lab.nginx.look(lab.place).in_force == digest_on_disk(text))
    assert lab.nginx.ask_server(lab.place, 1, digest_on_disk(text)) == 200
    with pytest.raises(VendorError, match="not") as other:
        lab.nginx.ask_server(lab.place, 1, "0" * 16)
    assert other.value.kind is FailureKind.TEMPORARY
    lab.nginx.rehearse(lab.place)


def test_the_old_file_is_kept_by_its_digest_and_can_be_put_back(lab: Lab) -> None:
    old, new = render(lab.target), render(replace(lab.target, tries=3))
    lab.nginx.write(lab.place, old)
    lab.nginx.write(lab.place, new)
    assert lab.nginx.kept(lab.place, digest_on_disk(old)) == old
    assert lab.nginx.kept(lab.place, "0" * 16) is None
    lab.nginx.write(lab.place, lab.nginx.kept(lab.place, digest_on_disk(old)))
    assert lab.nginx.look(lab.place).text == old


def test_a_removed_file_is_kept_too_and_is_no_longer_in_force(lab: Lab) -> None:
    text = render(lab.target)
    lab.nginx.write(lab.place, text)
    lab.nginx.reload(lab.place)
    lab.settle(lambda: bool(lab.nginx.look(lab.place).in_force))
    lab.nginx.write(lab.place, None)
    lab.nginx.reload(lab.place)
    lab.settle(lambda: not lab.nginx.look(lab.place).in_force)
    assert lab.nginx.look(lab.place).text is None
    assert lab.nginx.kept(lab.place, digest_on_disk(text)) == text


def test_a_file_that_nginx_refuses_is_not_put_there(lab: Lab) -> None:
    text = render(lab.target)
    lab.nginx.write(lab.place, text)
    if isinstance(lab.nginx, FakeNginx):
        lab.nginx.refuses = "[emerg] unexpected end of file"
    with pytest.raises(VendorError, match=r"\[emerg\] unexpected end of file") as refused:
        lab.nginx.write(lab.place, text.rstrip().removesuffix("}"))
    assert refused.value.kind is FailureKind.PERMANENT
    assert lab.nginx.look(lab.place).text == text


# ---- This machine alone ----


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    with nginx_under(tmp_path) as made:
        yield made


def local(balancer: Balancer) -> contextlib.closing[LocalNginx]:
    return contextlib.closing(LocalNginx(balancer.command))


def test_a_file_that_another_file_contradicts_is_refused_before_it_is_there(
    balancer: Balancer,
) -> None:
    """The new file is tested among all the others, in place of the old one."""
    (balancer.root / "conf.d" / "other.conf").write_text(
        "upstream runbookd_edge { server 127.0.0.1:1; }"
    )
    with local(balancer) as nginx:
        with pytest.raises(VendorError, match=r"duplicate upstream .runbookd_edge."):
            nginx.write(balancer.place, render(balancer.target("127.0.0.1:1")))
        assert nginx.look(balancer.place).text is None
    assert sorted(each.name for each in balancer.file.parent.iterdir()) == ["other.conf"]


def test_nothing_but_the_file_and_the_kept_ones_is_left_behind(balancer: Balancer) -> None:
    with local(balancer) as nginx:
        for tries in range(1, 6):
            nginx.write(balancer.place, render(balancer.target("127.0.0.1:1", tries=tries)))
    names = sorted(each.name for each in balancer.file.parent.iterdir())
    assert len(names) == 5
    assert names[0] == "edge.conf"
    assert all(".runbookd-" in each and not each.endswith(".conf") for each in names[1:])
    assert not list(balancer.root.glob("*.runbookd-*"))


def test_the_oldest_kept_files_are_removed(balancer: Balancer) -> None:
    with local(balancer) as nginx:
        texts = [render(balancer.target("127.0.0.1:1", keepalive=n)) for n in range(1, 14)]
        for text in texts:
            nginx.write(balancer.place, text)
        kept = [nginx.kept(balancer.place, digest_on_disk(text)) is not None for text in texts]
    assert kept == [False, False, *[True] * MOST_KEPT, False]


def test_a_link_stays_a_link_and_the_rights_of_the_file_stay_as_they_are(
    balancer: Balancer,
) -> None:
    real = balancer.root / "edge-elsewhere"
    real.write_text("")
    real.chmod(0o640)
    balancer.file.symlink_to(real)
    with local(balancer) as nginx:
        nginx.write(balancer.place, render(balancer.target("127.0.0.1:1")))
    assert balancer.file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.read_text() == render(balancer.target("127.0.0.1:1"))


def test_a_file_that_the_main_file_does_not_include_is_told_so(balancer: Balancer) -> None:
    elsewhere = replace(balancer.place, file=str(balancer.root / "conf.d" / "deeper" / "x.conf"))
    with local(balancer) as nginx:
        assert nginx.look(balancer.place).included
        assert not nginx.look(elsewhere).included


@pytest.mark.parametrize(
    ("line", "included"),
    [
        ("include conf.d/*.conf;", True),
        ("http { include conf.d/edge.conf; }", True),
        ("http { include /etc/mime.types; include 'conf.d/e*.conf' ; }", True),
        ("# include conf.d/*.conf;", False),
        ("events {} # include conf.d/*.conf;", False),
        ("include conf.d/*;", True),
        ("include *.conf;", False),
        ("xinclude conf.d/*.conf;", False),
    ],
)
def test_what_the_main_file_includes_is_read_as_nginx_reads_it(
    tmp_path: Path, line: str, included: bool
) -> None:
    (tmp_path / "main.conf").write_text(f"events {{}}\n{line}\n")
    file = str(tmp_path / "conf.d" / "edge.conf")
    place = Place("edge", file, str(tmp_path / "main.conf"), free_port())
    with contextlib.closing(LocalNginx(NginxCommand(["nginx"]))) as nginx:
        assert nginx.look(place).included is included


def test_nginx_that_does_not_run_is_seen_and_its_words_are_told_at_a_reload(
    balancer: Balancer,
) -> None:
    balancer.stop()
    with local(balancer) as nginx:
        assert not nginx.look(balancer.place).running
        with pytest.raises(VendorError, match=r"not reloaded.*nginx\.pid.*No such file") as refused:
            nginx.reload(balancer.place)
    assert refused.value.kind is FailureKind.PERMANENT


def test_a_port_of_another_file_tells_nothing_of_this_one(balancer: Balancer) -> None:
    balancer.file.write_text(render(balancer.target("127.0.0.1:1")))
    with local(balancer) as nginx:
        nginx.reload(balancer.place)
        eventually(lambda: bool(nginx.look(balancer.place).in_force))
        assert nginx.look(replace(balancer.place, name="other")).in_force == ""
        assert nginx.look(replace(balancer.place, check_port=free_port())).in_force == ""


def test_a_command_that_is_not_there_is_told_with_the_setting_that_names_it(
    balancer: Balancer,
) -> None:
    nginx = LocalNginx(NginxCommand([str(balancer.root / "nginx-of-nobody")]))
    with contextlib.closing(nginx), pytest.raises(VendorError, match="correct NGINX_COMMAND"):
        nginx.write(balancer.place, render(balancer.target("127.0.0.1:1")))
    assert not balancer.file.exists()


def test_a_main_file_that_cannot_be_read_is_told_with_its_path(tmp_path: Path) -> None:
    place = Place("edge", str(tmp_path / "a.conf"), str(tmp_path / "missing.conf"), free_port())
    nginx = LocalNginx(NginxCommand(["nginx"]))
    with contextlib.closing(nginx), pytest.raises(VendorError, match=r"missing\.conf.*rights"):
        nginx.look(place)
