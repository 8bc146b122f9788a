"""The calls of the machine with nginx. There is no such API outside: on a real machine the worker
reads and writes the files itself."""

from __future__ import annotations

from collections.abc import Mapping

from service.sandbox.cloud import Cloud
from service.sandbox.core.routes import Route
from service.sandbox.core.vendors import Vendor
from service.sandbox.core.wire import Answer, Call, as_object, whole_number
from service.sandbox.nginx.machine import Machine


def look(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """GET /file?path=…: the file, and what nginx does."""
    machine, path = cloud.state(Machine), call.first("path") or ""
    return Answer(
        200,
        {
            "text": machine.files.get(path),
            "told": machine.told(path),
            "running": machine.running,
        },
    )


def write(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """PUT /file: test a text and put it in its place; what was there is kept under `keep_as`."""
    machine, body = cloud.state(Machine), as_object(call.body)
    path, text, keep_as = body.get("path"), body.get("text"), body.get("keep_as")
    if not isinstance(path, str) or not isinstance(text, str | None):
        return Answer(400, {"message": "path and text are texts; text may be null."})
    if text is not None and (complaint := machine.complaint(path, text)):
        return Answer(422, {"message": complaint})
    if path in machine.files and isinstance(keep_as, str):
        machine.kept[f"{path} {keep_as}"] = machine.files[path]
    if text is None:
        machine.files.pop(path, None)
    else:
        machine.files[path] = text
    return Answer(200, {})


def kept(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """GET /kept?path=…&as=…: an old file; null where there is none."""
    key = f"{call.first('path')} {call.first('as')}"
    return Answer(200, {"text": cloud.state(Machine).kept.get(key)})


def reload(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """POST /reload."""
    machine = cloud.state(Machine)
    if not machine.running:
        return Answer(409, {"message": '[error] invalid PID number "" in "/run/nginx.pid"'})
    machine.reload()
    return Answer(200, {})


def server(cloud: Cloud, call: Call, args: Mapping[str, str]) -> Answer:
    """GET /servers/<number>?path=…: what a server answers through nginx, and by which file."""
    machine, path = cloud.state(Machine), call.first("path") or ""
    number = whole_number(args["number"]) or 0
    return Answer(200, {"status": machine.server(path, number), "told": machine.told(path)})


VENDOR = Vendor(
    (
        Route("GET", "/file", look),
        Route("PUT", "/file", write),
        Route("GET", "/kept", kept),
        Route("POST", "/reload", reload),
        Route("GET", "/servers/<number>", server),
    ),
    None,
    lambda: Answer(404, {"message": "There is no such call."}),
)
