from __future__ import annotations

import pytest

from tests.cli.conftest import Cli
from tests.conftest import Send


def test_a_delivery_that_does_not_exist_is_an_error(cli: Cli, send: Send) -> None:
    delivery = send()
    assert f"{delivery.pk}" in cli("deliveries", str(delivery.pk))
    assert "There is no delivery 4711." in cli("deliveries", "4711", status=1)


@pytest.mark.usefixtures("db")
def test_no_deliveries_at_all_are_no_error(cli: Cli) -> None:
    assert cli.json("deliveries") == []
    assert cli.json("deliveries", "4711") == []
