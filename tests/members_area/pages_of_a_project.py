"""Views of a project that guards them; the URLconf of test_access.py."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from memberhook.members_area.access import RoleRequiredMixin, TagRequiredMixin, role_required, tag_required


@tag_required("gold", "silver")
def metal(request: HttpRequest, page: int) -> HttpResponse:
    return HttpResponse(f"metal {page}")


@tag_required("gold")
async def async_metal(request: HttpRequest) -> HttpResponse:
    return HttpResponse("async metal")


@tag_required("gold", connection="shop")
def of_the_shop(request: HttpRequest) -> HttpResponse:
    return HttpResponse("shop")


@role_required("Paying Customer")
@csrf_exempt
def for_customers(request: HttpRequest) -> HttpResponse:
    return HttpResponse("customers")


@tag_required("gold")
@tag_required("silver")
@role_required("customer")
def all_of_them(request: HttpRequest) -> HttpResponse:
    return HttpResponse("all")


class Metal(TagRequiredMixin, View):
    required_tags = ["gold", 7]

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("class")


class AsyncMetal(TagRequiredMixin, View):
    required_tags = ["gold"]

    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("async class")


class Customers(RoleRequiredMixin, View):
    required_roles = ("customer",)

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("role class")


class CustomersOfGold(TagRequiredMixin, RoleRequiredMixin, View):
    required_tags = "gold"
    required_roles = "customer"

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("both")


class Nobody(TagRequiredMixin, View):
    """Forgot to say which tags."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("open to all")


urlpatterns = [
    path("metal/<int:page>/", metal),
    path("async/", async_metal),
    path("shop/", of_the_shop),
    path("customers/", for_customers),
    path("all/", all_of_them),
    path("class/", Metal.as_view()),
    path("async-class/", AsyncMetal.as_view()),
    path("role-class/", Customers.as_view()),
    path("both/", CustomersOfGold.as_view()),
    path("nobody/", Nobody.as_view()),
    path("", include("memberhook.members_area.urls")),
]
