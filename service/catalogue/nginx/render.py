"""Makes a balancer's file from its target. Pure."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, StrictUndefined

from service.catalogue.nginx.digest import digest_of
from service.catalogue.nginx.target import NginxTarget

PASSED_ON = ("error", "timeout", "http_502", "http_503", "http_504")
"""After what a request goes to another server. A 500 is the application's own answer."""

CHECK_S = 3
"""Seconds that a server may take for one answer when it is verified."""

_TEMPLATE = r"""
# Made by runbookd from target {{ t.name }}. What is changed here by hand is not overwritten, and
# holds runbookd back: change the target in the rules, and let `apply_balancer` write this file.
# runbookd-file: {{ digest }}

upstream {{ group }} {
    zone {{ group }} 128k;
{% if t.method != "round_robin" %}
    {{ t.method }};
{% endif %}
{% for server in t.servers %}
    server {{ server }} max_fails={{ t.max_fails }} fail_timeout={{ t.fail_timeout_s }}s;
{% endfor %}
    keepalive {{ t.keepalive }};
    keepalive_requests 1000;
    keepalive_timeout 60s;
}

{% if t.trusted_proxies %}
# What a client itself says of its protocol counts only behind these proxies.
geo $realip_remote_addr ${{ variable }}_trusted {
    default 0;
{% for network in t.trusted_proxies %}
    {{ network }} 1;
{% endfor %}
}

map "${{ variable }}_trusted:$http_x_forwarded_proto" ${{ variable }}_proto {
    default $scheme;
    "1:https" https;
    "1:http" http;
}

{% endif %}
server {
    listen {{ t.listen }}{{ " ssl" if t.certificate else "" }};
    server_name {{ t.names | join(" ") or "_" }};
{% if t.certificate %}
    ssl_certificate {{ t.certificate }};
    ssl_certificate_key {{ t.certificate_key }};
{% endif %}
{% if t.trusted_proxies %}

{% for network in t.trusted_proxies %}
    set_real_ip_from {{ network }};
{% endfor %}
    real_ip_header X-Forwarded-For;
    real_ip_recursive on;
{% endif %}

    location / {
        proxy_pass http://{{ group }};

        # Without these two no connection to a server is kept.
        proxy_http_version 1.1;
        proxy_set_header Connection "";

        # A POST whose bytes have gone out is never sent to a second server.
        proxy_next_upstream {{ passed_on }};
        proxy_next_upstream_tries {{ t.tries }};
        proxy_next_upstream_timeout {{ t.retry_for_s }}s;
        proxy_connect_timeout {{ t.connect_timeout_s }}s;
        proxy_send_timeout {{ t.send_timeout_s }}s;
        proxy_read_timeout {{ t.read_timeout_s }}s;

        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto {{ proto }};

        error_page 502 = @unavailable;
    }

    # Only what may be sent twice is asked to come again: a POST may have arrived.
    location @unavailable {
        default_type text/plain;
        if ($request_method ~ ^(GET|HEAD|OPTIONS)$) {
            add_header Retry-After {{ t.fail_timeout_s }} always;
            return 503 "No server answers. Try again later.\n";
        }
        return 502 "No server has answered. Whether it has arrived is not known.\n";
    }
}

# For runbookd, on this machine alone: which file is in force, and whether each server answers.
server {
    listen 127.0.0.1:{{ t.check_port }};
    server_name {{ t.name }}.runbookd;
    access_log off;

    location = /config {
        default_type text/plain;
        return 200 "{{ t.name }} {{ digest }}\n";
    }
{% for address in t.addresses %}

    location = /server/{{ loop.index }} {
        add_header X-Runbookd-File {{ digest }} always;
        proxy_pass http://{{ address }}{{ t.health_path }};
        proxy_set_header Host {{ host }};
        proxy_connect_timeout {{ check_s }}s;
        proxy_read_timeout {{ check_s }}s;
    }
{% endfor %}

    location / {
        return 404;
    }
}
""".lstrip("\n")

_SAFE = re.compile(r"[A-Za-z0-9_.:/\[\]=*~$ -]*")
"""What a value may consist of. None of these ends a directive, opens a block or begins a quote."""


class UnsafeValue(ValueError):  # noqa: N818 - a fact about a value, told as it is
    """A value of a target would change the meaning of the file."""


def _safe(value: Any) -> str:
    text = str(value)
    if not _SAFE.fullmatch(text):
        raise UnsafeValue(f"{text!r} cannot stand in a file of nginx; nothing was written.")
    return text


_ENVIRONMENT = Environment(  # noqa: S701 - this is no HTML; `_safe` lets nothing through
    undefined=StrictUndefined,
    finalize=_safe,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render(target: NginxTarget) -> str:
    """The text of the target's file; the same target makes the same text.

    Raises:
        UnsafeValue: a value holds a character that ends a directive. The rules refuse it before.
    """
    return _filled(target, digest_of(_filled(target, "")))


def _filled(target: NginxTarget, digest: str) -> str:
    variable = f"runbookd_{target.name.replace('-', '_')}"
    names = [each for each in target.names if "*" not in each and each != "_"]
    return _ENVIRONMENT.from_string(_TEMPLATE).render(
        t=target,
        check_s=CHECK_S,
        passed_on=" ".join(PASSED_ON + (("http_500",) if target.retry_500 else ())),
        digest=digest,
        group=f"runbookd_{target.name}",
        variable=variable,
        proto=f"${variable}_proto" if target.trusted_proxies else "$scheme",
        host=names[0] if names else "$proxy_host",
    )
