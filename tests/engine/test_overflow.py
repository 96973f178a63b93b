"""What is kept of members for sites that cannot, as rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memberhook.engine.overflow import RowKeeper
from memberhook.models.connections import Connection, Hook, Site
from memberhook.core.types import Tag
from memberhook.sites.contract import Kept

GOLD, SILVER = Tag("1", "gold", "Gold"), Tag("2", "silver", "Silver")


@pytest.fixture
def keeper(make_hook: Callable[..., Hook]) -> Callable[[str], RowKeeper]:
    make_hook()
    site = Site.objects.create(name="club", kind="wordpress", url="https://club.example")

    def keeper_of(name: str) -> RowKeeper:
        connection, _ = Connection.objects.get_or_create(name=name, defaults={"kind": "fluentcrm"})
        return RowKeeper(site.pk, connection.pk)

    return keeper_of


def test_each_connection_has_its_own(keeper: Callable[[str], RowKeeper]) -> None:
    shop, school = keeper("shop"), keeper("school")
    shop.write({"7": Kept((GOLD,), {"hobby": "chess", "ways": ("a", "b")})})
    school.write({"7": Kept((SILVER,), {"grade": "2"}), "8": Kept()})
    assert shop.read(["7", "8"]) == {"7": Kept((GOLD,), {"hobby": "chess", "ways": ("a", "b")})}
    assert shop.slugs(["7", "8"]) == {"7": {"shop": ("gold",), "school": ("silver",)}}
    everything = RowKeeper(shop.site_id, None).read(["7"])
    assert everything["7"].tags == (GOLD, SILVER)
    assert everything["7"].fields == {"hobby": "chess", "ways": ("a", "b"), "grade": "2"}


def test_what_is_written_is_all_there_is(keeper: Callable[[str], RowKeeper]) -> None:
    shop = keeper("shop")
    shop.write({"7": Kept((GOLD, SILVER), {"hobby": "chess"})})
    shop.write({"7": Kept((SILVER,))})
    assert shop.read(["7"]) == {"7": Kept((SILVER,))}


def test_renamed_tags_have_their_new_name(keeper: Callable[[str], RowKeeper]) -> None:
    shop, school = keeper("shop"), keeper("school")
    shop.write({"7": Kept((GOLD,))})
    school.write({"7": Kept((GOLD,))})
    golden = Tag("1", "golden", "Golden")
    shop.remember([golden])
    assert shop.read(["7"])["7"].tags == (golden,)
    assert shop.slugs(["7"]) == {"7": {"shop": ("golden",), "school": ("gold",)}}


def test_without_a_connection_nothing_is_written(keeper: Callable[[str], RowKeeper]) -> None:
    nobodys = RowKeeper(keeper("shop").site_id, None)
    nobodys.remember([GOLD])
    with pytest.raises(ValueError, match="belongs to a connection"):
        nobodys.write({"7": Kept()})
