"""The pieces that the YAML of targets, rules and options is made of.

A field's `description` says what is wanted of it, for the sentence about a wrong value.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """A mapping in a rule file: no unknown keys, and no value that has to be converted.

    Every key of a target is optional here. What a kind needs is checked where it can be said why.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


class NoOptions(Shape):
    """`with` of an action that takes no options."""


A_BUCKET = "the name of a bucket: 3 to 63 small letters, digits, dots and hyphens"
BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
Region = Annotated[str, Field(pattern=r"^[a-z0-9-]{2,30}$")]


Text = Annotated[str, Field(min_length=1)]
Sizes = list[Text]
Url = Annotated[
    str,
    Field(
        pattern=r"^https?://[^\s/]+",
        description="an address that begins with http:// or https://",
    ),
]
