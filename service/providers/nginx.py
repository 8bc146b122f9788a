"""nginx on this machine: its command, its files, and the port at which it tells what is in force.

The command may be `sudo -n /usr/sbin/nginx`, so that the worker itself needs no rights of root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx

from service.catalogue.nginx.digest import digest_on_disk
from service.domain.errors import FailureKind
from service.domain.text import cut
from service.ports.nginx import Place, Seen
from service.providers.errors import LONGEST_QUOTE, Call, no_answer
from service.providers.http import make_http_client
from service.providers.waits import Timeouts

VENDOR = "nginx"
LONGEST_S = 10.0
"""Seconds for one call of the command. The longest that any vendor gets, and less than a lease."""
_OLD_ANSWERS = 20
"""How often an old process of nginx may answer after a reload. It stops listening within some
milliseconds; one such answer was seen with nginx 1.22."""
_ELSEWHERE = ("/usr/sbin", "/usr/local/sbin")
"""Where nginx is, and where only root's PATH leads."""
MOST_KEPT = 10
"""Old files that are kept beside the one in force."""
_KEPT = re.compile(r"\.runbookd-[0-9a-f]{16}$")
_PID_FILE = "/run/nginx.pid"
"""Debian's, which holds where the main file names none."""
_INCLUDE = re.compile(r"^((?:[^#\n]*[\s{;])?)include[ \t]+([^;{}\n]+);", re.MULTILINE)
_PREFIX = re.compile(r"^(nginx: |[0-9/]+ [0-9:]+ )+|(?<=\] )[0-9]+#[0-9]+: ")
"""What nginx writes before its words: its name, the time, its process."""
_PID = re.compile(r"^[ \t]*pid[ \t]+(/[^;\s]+);", re.MULTILINE)
_OPENS_BLOCK = re.compile(r"^\s*(events|http|stream|mail)\s*\{", re.MULTILINE)

_AROUND = """\
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {file};
}}
"""
"""A main file around a part of one, which writes nowhere but to its own folder."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a call of the command ended: its exit status, and what it said."""

    status: int
    said: str

    @property
    def words(self) -> str:
        """What it said in one line, the first complaint first."""
        lines = [line for line in self.said.splitlines() if line.strip()]
        complaints = [line for line in lines if "[emerg]" in line or "[alert]" in line] or lines
        shown = [_PREFIX.sub("", line) for line in complaints]
        return cut(" ".join(shown), LONGEST_QUOTE)


class NginxCommand:
    """The command, such as `nginx` or `sudo -n /usr/sbin/nginx`."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)

    @property
    def there(self) -> bool:
        """Whether its program is on this machine."""
        return self._program() is not None

    def __str__(self) -> str:
        """As it is typed."""
        return " ".join(self._words)

    def run(self, *arguments: str) -> Ran:
        """Call it, for `LONGEST_S` at the most.

        Raises:
            OSError: it could not be started.
            subprocess.TimeoutExpired: it did not end, and was killed.
        """
        program = self._program()
        if program is None:
            raise FileNotFoundError(2, "there is no such program", self._words[0])
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            [program, *self._words[1:], *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LONGEST_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ran(done.returncode, f"{done.stderr}\n{done.stdout}".strip())

    def _program(self) -> str | None:
        path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_ELSEWHERE))
        return shutil.which(self._words[0], path=path)


def check_file(command: NginxCommand, file: Path) -> Ran:
    """Have nginx test a file: a whole one, or a part that belongs into `http`.

    Raises:
        OSError: the file cannot be read, or the command cannot be started.
        subprocess.TimeoutExpired: nginx did not end.
    """
    file = file.resolve()
    whole = _OPENS_BLOCK.search(file.read_text(encoding="utf-8", errors="replace"))
    with tempfile.TemporaryDirectory(prefix="runbookd-nginx-") as folder:
        main = Path(folder) / "nginx.conf"
        main.write_text(_AROUND.format(folder=folder, file=file), encoding="utf-8")
        return command.run("-t", "-q", "-p", folder, "-c", str(file if whole else main))


class LocalNginx:
    """One nginx on this machine (`service.ports.nginx.Nginx`). Safe for threads."""

    def __init__(self, command: NginxCommand, *, timeouts: Timeouts | None = None) -> None:
        self._command = command
        self._http = make_http_client("http://127.0.0.1", timeouts=timeouts)

    def look(self, place: Place) -> Seen:
        """The file, and what nginx does now."""
        call = Call(VENDOR, f"read {place.file}", repeatable=True)
        try:
            text = _text_of(Path(place.file))
            main = Path(place.main).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise _refused(call, problem) from problem
        return Seen(text, self._in_force(place), _runs(main), _with_file(main, place, "") != main)

    def rehearse(self, place: Place) -> None:
        """`nginx -t`, and the rights to the two folders that `write` needs."""
        call = Call(VENDOR, f"write {place.file}", repeatable=True)
        for folder in (Path(place.file).resolve().parent, Path(place.main).parent):
            if not os.access(folder, os.W_OK):
                sentence = (
                    f"This worker may not write in {folder}, which it has to. Give it the right."
                )
                raise call.error(FailureKind.PERMANENT, sentence)
        ran = self._run(call, "-t", "-q", "-c", place.main, sent=False)
        if ran.status != 0:
            sentence = f"nginx refuses its own files as they are: {ran.words}"
            raise call.error(FailureKind.PERMANENT, f"{sentence.rstrip('.')}.")

    def write(self, place: Place, text: str | None) -> None:
        """Test, keep the old one, and rename."""
        call = Call(VENDOR, f"write {place.file}", repeatable=False)
        real = Path(place.file).resolve()
        new, main = _beside(real, "new"), _beside(Path(place.main), "test")
        try:
            _put(new, text or "", like=real)
            tested = _with_file(Path(place.main).read_text(encoding="utf-8"), place, str(new))
            _put(main, tested, like=Path(place.main))
            self._test(call, main)
            _keep(real)
            if text is None:
                real.unlink(missing_ok=True)
            else:
                new.replace(real)
        except (OSError, UnicodeDecodeError) as problem:
            raise _refused(call, problem) from problem
        finally:
            for left in (new, main):
                with suppress(OSError):
                    left.unlink(missing_ok=True)
        with suppress(OSError):  # it is in its place; only a crash of the machine could undo it
            _flush_folder(real.parent)

    def kept(self, place: Place, digest: str) -> str | None:
        """What `write` has kept beside the file."""
        call = Call(VENDOR, f"read the kept {digest} of {place.file}", repeatable=True)
        try:
            return _text_of(_beside(Path(place.file).resolve(), digest))
        except (OSError, UnicodeDecodeError) as problem:
            raise _refused(call, problem) from problem

    def reload(self, place: Place) -> None:
        """`nginx -s reload` sends HUP to nginx's first process."""
        call = Call(VENDOR, "reload", repeatable=False)
        ran = self._run(call, "-s", "reload", "-c", place.main)
        if ran.status != 0:
            sentence = f"nginx was not reloaded. `{self._command} -s reload` said: {ran.words}"
            raise call.error(FailureKind.PERMANENT, f"{sentence.rstrip('.')}.")

    def ask_server(self, place: Place, number: int, digest: str) -> int:
        """One GET through nginx. An old process may take it a moment after a reload; then again."""
        call = Call(VENDOR, f"ask server {number}", repeatable=True)
        for _ in range(_OLD_ANSWERS):
            try:
                answer = self._ask(place, f"server/{number}")
            except httpx.HTTPError as problem:
                raise no_answer(call, problem) from problem
            if answer.headers.get("X-Runbookd-File") == digest:
                return answer.status_code
        sentence = f"Server {number} was not asked: nginx does not work by {digest} there."
        raise call.error(FailureKind.TEMPORARY, sentence)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _in_force(self, place: Place) -> str:
        try:
            answer = self._ask(place, "config")
        except httpx.HTTPError:
            return ""
        name, _, digest = answer.text.strip().partition(" ")
        # At a port that several files share, another file may answer.
        return digest if answer.status_code == httpx.codes.OK and name == place.name else ""

    def _ask(self, place: Place, path: str) -> httpx.Response:
        """A connection of its own: a kept one leads to a process that goes on by the old file."""
        address = f"http://127.0.0.1:{place.check_port}/{path}"
        headers = {"Host": f"{place.name}.runbookd", "Connection": "close"}
        return self._http.get(address, headers=headers)

    def _test(self, call: Call, main: Path) -> None:
        ran = self._run(call, "-t", "-q", "-c", str(main), sent=False)
        if ran.status != 0:
            sentence = f"nginx refuses the new file, so it was not put there: {ran.words}"
            raise call.error(FailureKind.PERMANENT, f"{sentence.rstrip('.')}.")

    def _run(self, call: Call, *arguments: str, sent: bool = True) -> Ran:
        """Call the command; `sent` is whether it changes something."""
        try:
            return self._command.run(*arguments)
        except OSError as problem:
            sentence = (
                f"`{self._command}` could not be started: {problem.strerror}. Install nginx, or "
                "correct NGINX_COMMAND."
            )
            raise call.error(FailureKind.PERMANENT, sentence) from problem
        except subprocess.TimeoutExpired as problem:
            kind = FailureKind.UNKNOWN if sent else FailureKind.TEMPORARY
            sentence = f"`{self._command} {arguments[0]}` did not end within {LONGEST_S:.0f} s."
            raise call.error(kind, sentence) from problem


def _refused(call: Call, problem: OSError | UnicodeDecodeError) -> Exception:
    """The error of a machine that does not let us do it; asking again would not help."""
    if isinstance(problem, UnicodeDecodeError):
        return call.error(FailureKind.PERMANENT, f"To {call.operation}: it is not UTF-8.")
    named = f" ({problem.filename})" if problem.filename else ""
    sentence = f"This machine refuses to {call.operation}: {problem.strerror}{named}. Nothing was "
    return call.error(FailureKind.PERMANENT, f"{sentence}changed. Check the worker's rights.")


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _beside(path: Path, what: str) -> Path:
    """A file of ours beside another. No `include *.conf` reads it."""
    return path.with_name(f"{path.name}.runbookd-{what}")


def _put(path: Path, text: str, like: Path) -> None:
    """Write a file so that it survives a crash of the machine, with the rights of another."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(like.stat().st_mode & 0o777 if like.exists() else 0o644)


def _keep(real: Path) -> None:
    """Keep what the file holds under its digest, for an undo."""
    text = _text_of(real)
    if text is None:
        return
    _put(_beside(real, digest_on_disk(text)), text, like=real)
    kept = [each for each in real.parent.glob(f"{real.name}.runbookd-*") if _KEPT.search(each.name)]
    for old in sorted(kept, key=lambda each: each.stat().st_mtime_ns)[:-MOST_KEPT]:
        old.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a crash of the machine."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _with_file(main: str, place: Place, candidate: str) -> str:
    """The main file with another file in place of `place.file`, wherever it includes that."""
    folder = PurePosixPath(place.main).parent

    def instead(found: re.Match[str]) -> str:
        pattern = PurePosixPath(folder, found[2].strip().strip("\"'"))
        if not PurePosixPath(place.file).match(str(pattern)):
            return found[0]
        root = Path(pattern.anchor)
        others = sorted(str(each) for each in root.glob(str(pattern.relative_to(root))))
        files = [*(each for each in others if each != place.file), candidate]
        return found[1] + " ".join(f"include {each};" for each in files)

    return _INCLUDE.sub(instead, main)


def _runs(main: str) -> bool:
    """Whether nginx's first process lives, by the file with its id that the main file names."""
    named = _PID.search(main)
    try:
        pid = int(Path(named[1] if named else _PID_FILE).read_text(encoding="ascii"))
        os.kill(pid, 0)
    except PermissionError:
        return True  # it is another user's, as nginx should be
    except (OSError, ValueError, OverflowError):
        return False
    return True
