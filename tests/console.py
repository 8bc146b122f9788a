"""A browser without JavaScript at the console. It keeps cookies and sends forms as it gets them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.operators import Operators


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, and its text."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__()
        self.status = response.status_code
        self.html = response.get_data(as_text=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(self.html)
        self.text = re.sub(r"\s+", " ", "".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def links(self) -> list[str]:
        return [each["href"] for each in self.all("a") if "href" in each]

    def form_token(self) -> str:
        return next(each["value"] for each in self.all("input") if each.get("name") == "form_token")


class Browser:
    """A person's browser at the console of `operators`."""

    def __init__(self, operators: Operators, host: str = "localhost") -> None:
        self.client: FlaskClient = operators.app.test_client()
        self.base = f"http://{host}"

    def get(self, path: str, **headers: str) -> Page:
        return Page(self.answer(path, **headers))

    def answer(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, base_url=self.base, headers=headers)

    def send(self, path: str, fields: Mapping[str, str], **headers: str) -> TestResponse:
        """Send a form with the token of this browser's forms, where `fields` has no other."""
        given = {"form_token": self.get("/console/sign-in").form_token(), **fields}
        own = {"Origin": self.base, "Sec-Fetch-Site": "same-origin", **headers}
        return self.client.post(path, base_url=self.base, data=given, headers=own)

    def sign_in(self, who: str, to: str = "/console") -> TestResponse:
        return self.send("/console/sign-in", {"token": f"test-{who}", "to": to})
