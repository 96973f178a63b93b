"""The service below a path of a site that has others: a proxy hands it that path, and takes it off or not."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from memberhook.testing.fluentcrm import Running
from tests.server.conftest import Service, connect


def test_every_address_has_the_path_and_works_with_and_without_it(
    make_service: Callable[..., Service], crm: Running
) -> None:
    service = make_service(PUBLIC_URL="https://example.com/bridge", WAIT="0s")
    connect(service, crm)
    service.start()
    made = service.json("key", "rotate", "shop")
    assert made["urls"]["add"] == f"https://example.com/bridge/?wpf_action=add&access_key={made['access_key']}"
    contact = {"id": 1, "email": "ada@example.com", "first_name": "Ada"}
    query = urlsplit(made["urls"]["add"]).query
    for before in ("/bridge", ""):
        assert service.get(f"{before}/healthz").text == "ok\n"
        assert service.get(f"{before}/?{query.replace('=add', '=test')}").status == 200
        location = service.post(f"{before}/hooks/shop?{query}&async=true", contact).data["location"]
        assert location.startswith("https://example.com/bridge/deliveries/")
        assert service.get(f"{before}{location.removeprefix('https://example.com/bridge')}").status in (200, 202)
        page = service.get(f"{before}/login/", Host="example.com")
        assert set(re.findall(r'(?:href|action)="(/[^"]*)"', page.text)) >= {"/bridge/static/memberhook/pages.css"}
        assert all(link.startswith("/bridge/") for link in re.findall(r'(?:href|action)="(/[^"]*)"', page.text))
        assert service.get(f"{before}/static/memberhook/pages.css").status == 200
        redirect = service.get(f"{before}/account/", Host="example.com")
        assert redirect.headers["Location"] == "/bridge/login/?next=/bridge/account/"
        assert "Path=/bridge/" in page.headers["Set-Cookie"]
