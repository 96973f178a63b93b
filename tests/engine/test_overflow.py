"""What is kept of members for sites that cannot, as rows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memberhook.core.types import Tag
from memberhook.engine.overflow import RowOverflowStore
from memberhook.models.connections import Connection, Hook, Site
from memberhook.sites.contract import Overflow

GOLD, SILVER = Tag("1", "gold", "Gold"), Tag("2", "silver", "Silver")


@pytest.fixture
def overflow_store(make_hook: Callable[..., Hook]) -> Callable[[str], RowOverflowStore]:
    make_hook()
    site = Site.objects.create(name="club", kind="wordpress", url="https://club.example")

    def store_of(name: str) -> RowOverflowStore:
        connection, _ = Connection.objects.get_or_create(name=name, defaults={"kind": "fluentcrm"})
        return RowOverflowStore(site.pk, connection.pk)

    return store_of


def test_each_connection_has_its_own(overflow_store: Callable[[str], RowOverflowStore]) -> None:
    shop, school = overflow_store("shop"), overflow_store("school")
    shop.write({"7": Overflow((GOLD,), {"hobby": "chess", "colours": ("a", "b")})})
    school.write({"7": Overflow((SILVER,), {"grade": "2"}), "8": Overflow()})
    assert shop.read(["7", "8"]) == {"7": Overflow((GOLD,), {"hobby": "chess", "colours": ("a", "b")})}
    assert shop.slugs(["7", "8"]) == {"7": {"shop": ("gold",), "school": ("silver",)}}
    everything = RowOverflowStore(shop.site_id, None).read(["7"])
    assert everything["7"].tags == (GOLD, SILVER)
    assert everything["7"].fields == {"hobby": "chess", "colours": ("a", "b"), "grade": "2"}


def test_what_is_written_is_all_there_is(overflow_store: Callable[[str], RowOverflowStore]) -> None:
    shop = overflow_store("shop")
    shop.write({"7": Overflow((GOLD, SILVER), {"hobby": "chess"})})
    shop.write({"7": Overflow((SILVER,))})
    assert shop.read(["7"]) == {"7": Overflow((SILVER,))}


def test_renamed_tags_have_their_new_name(overflow_store: Callable[[str], RowOverflowStore]) -> None:
    shop, school = overflow_store("shop"), overflow_store("school")
    shop.write({"7": Overflow((GOLD,))})
    school.write({"7": Overflow((GOLD,))})
    golden = Tag("1", "golden", "Golden")
    shop.upsert_tags([golden])
    assert shop.read(["7"])["7"].tags == (golden,)
    assert shop.slugs(["7"]) == {"7": {"shop": ("golden",), "school": ("gold",)}}


def test_without_a_connection_nothing_is_written(overflow_store: Callable[[str], RowOverflowStore]) -> None:
    nobodys = RowOverflowStore(overflow_store("shop").site_id, None)
    nobodys.upsert_tags([GOLD])
    with pytest.raises(ValueError, match="for a connection"):
        nobodys.write({"7": Overflow()})
