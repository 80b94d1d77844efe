import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

# Users are referred to without constraints: these tables stay while other tests empty the users' table, which
# PostgreSQL refuses where a table that it is not told of refers to it.


class Shape(models.Model):
    objects: "ClassVar[models.Manager[Any]]" = models.Manager()

    class Meta:
        abstract = True


class Tag(Shape):
    word = models.CharField(max_length=20)


class Firm(Shape):
    """A customer with a UUID key and several owners."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    title = models.CharField(max_length=80)
    active = models.BooleanField(default=True)
    joined = models.DateField(null=True)
    owners = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", db_constraint=False)
    tags = models.ManyToManyField(Tag)


class Article(Shape):
    """A product keyed by text; a variant carries no title of its own."""

    sku = models.CharField(max_length=40, primary_key=True)
    title = models.CharField(max_length=80, blank=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True)
    price = models.FloatField(null=True)


class Deal(Shape):
    """An order; a guest's has no firm."""

    firm = models.ForeignKey(Firm, models.CASCADE, null=True)
    closed = models.DateTimeField(null=True)


class DealLine(Shape):
    deal = models.ForeignKey(Deal, models.CASCADE)
    article = models.ForeignKey(Article, models.SET_NULL, null=True)
    quantity = models.IntegerField(default=1)
    total = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    currency = models.CharField(max_length=3, default="EUR")


class Member(Shape):
    """A customer of one of several companies, keyed by a number."""

    number = models.IntegerField(unique=True)
    name = models.CharField(max_length=80)
    company = models.CharField(max_length=20)


class Visit(Shape):
    """An event of a day, not of a moment."""

    member = models.ForeignKey(Member, models.CASCADE, to_field="number")
    day = models.DateField()
    word = models.CharField(max_length=20, default="visit")


class Person(Shape):
    """A customer keyed by text."""

    slug = models.CharField(max_length=80, primary_key=True)
    rep = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_constraint=False
    )
