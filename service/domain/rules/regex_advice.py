"""What to write instead of a pattern that RE2 refuses, said beside RE2's own words."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ADVICE: Mapping[str, str] = {
    r"invalid perl operator: \(\?(?:<?[=!])": (
        "RE2 has no look-ahead and no look-behind. Say what must not match with a second matcher "
        'on the same label, such as host!~"test-.*"'
    ),
    r"invalid perl operator": (
        "RE2 knows the groups (…), (?:…) and (?P<name>…), and the flags i, m, s and U as in "
        "(?i)…. It has no atomic or conditional groups and no comments"
    ),
    r"invalid escape sequence: \\[1-9]": (
        "RE2 has no back references. List what may be repeated, as in aa|bb"
    ),
    r"invalid escape sequence: \\Z": (
        "Leave it out: a matcher is always held against the whole value"
    ),
    r"invalid escape sequence: \\C": (
        "It would match half a character, and Alertmanager does not take it. Write . for one "
        "character"
    ),
    r"invalid escape sequence: \\[uUN]": (
        r"Write the character itself, or its code as in \x{00fc}"
    ),
    r"invalid escape sequence": (
        r"Write \\ for a backslash that means itself, and leave the backslash out before a letter"
    ),
    r"bad repetition operator": (
        "RE2 has no possessive repeats such as a++. To repeat what is repeated already, put it "
        "into a group, as in (?:a{2}){3}"
    ),
    r"invalid repetition size": (
        "A repeat goes up to 1000, and the numbers of nested repeats multiply. Leave it open, "
        "as in a* or a+"
    ),
    r"no argument for repetition operator": (
        r"Write .* for any text, or a backslash before a sign that means itself, as in \*"
    ),
    r"missing \)": r"Close the group, or write \( for the sign itself",
    r"unexpected \)": r"Open the group, or write \) for the sign itself",
    r"missing \]": r"Close the set, or write \[ for the sign itself",
    r"invalid character class range: (?:\[:|\\)": (
        r"No class has this name. RE2 knows those such as [[:alpha:]], \pL and \p{Greek}"
    ),
    r"invalid character class": (
        r"Write the lower character first, as in a-z, and \- for the sign itself"
    ),
    r"invalid named capture": (
        "A group's name is letters, digits and _. A matcher has no use for the name: write (?:…)"
    ),
    r"trailing \\": r"Write \\ for a backslash that means itself",
    r"pattern too large": (
        "It needs more memory than a pattern may use (1 MiB). Repeat less, or leave the repeat "
        r"open: \pL+ needs far less than \pL{1,100}"
    ),
}
"""What to write instead, by how RE2's words begin. The first that fits is said."""


def with_advice(words: str) -> str:
    """RE2's own words for a fault, then what to write instead, without the last full stop."""
    for beginning, advice in _ADVICE.items():
        if re.match(beginning, words):
            return f'RE2 says "{words}". {advice}'
    return f'RE2 says "{words}"'
