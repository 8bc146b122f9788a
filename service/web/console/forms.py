"""What was sent with a form of the console."""

from __future__ import annotations

from flask import g, request

from service.domain.filters import BadFilter
from service.domain.people import Forbidden
from service.web.console.sessions import is_own_form


def form() -> dict[str, str]:
    """The fields of the form that was posted.

    Raises:
        Forbidden: the form is not one that this browser was given.
        BadFilter: a field holds a NUL, which nothing stored can hold.
    """
    fields = {name: request.form[name] for name in request.form}
    if not is_own_form(g.nonce, g.session, fields.get("form_token", "")):
        raise Forbidden(
            "This form is too old, or not one of ours. Open its page again. Nothing was changed."
        )
    for name, value in fields.items():
        if "\0" in value:
            raise BadFilter(f"{name!a} holds a NUL character, which cannot be stored.")
    return fields
