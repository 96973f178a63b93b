"""The club's people: they log in with their e-mail and have no user name."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class People(BaseUserManager["Person"]):
    def create_user(self, email: str, password: str | None = None, **columns: Any) -> Person:
        person = self.model(email=self.normalize_email(email), **columns)
        person.set_password(password)
        person.save()
        return person

    def create_superuser(self, email: str, password: str | None = None, **columns: Any) -> Person:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **columns)


class Person(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    phone = models.CharField(max_length=30, blank=True)
    birthday = models.DateField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)

    objects = People()

    USERNAME_FIELD = "email"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["phone"], condition=~models.Q(phone=""), name="a_phone_is_one_persons")
        ]


class Profile(models.Model):
    """The club makes one for each person, however the person came to be."""

    person = models.OneToOneField(Person, on_delete=models.CASCADE)
    greeting = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.greeting


def make_profile(instance: Person, created: bool, **_: Any) -> None:
    if created:
        Profile.objects.create(person=instance, greeting=f"Welcome, {instance.first_name or 'friend'}!")
