"""Human labels: the sets, the next item of the queue, answers, and all that was said."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.base import ApiView
from crm_agents.api.idempotency import idempotent
from crm_agents.api.paging import CursorPaging, PageQuery
from crm_agents.api.permissions import ANNOTATE, MANAGE_LABELS
from crm_agents.api.problems import Problem, refused
from crm_agents.api.schema import IDEMPOTENCY_KEY, answered, describe, sent
from crm_agents.api.validation import FiniteFloatField, StrictSerializer
from crm_agents.models import Annotation, AnnotationKind, ItemStatus, LabelItem, LabelSet, Subject
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.labelling.answering import AnnotationRejected, annotate, take_back
from crm_agents.services.labelling.claiming import next_items, visible_items
from crm_agents.services.labelling.exporting import item_record, with_annotations
from crm_agents.services.labelling.progress import counts

LARGEST_ID = 9_223_372_036_854_775_807
ANSWER = {"item": 12, "label": "left", "reason": "Closed the shop", "seconds": 4.2}


class ChoiceSerializer(serializers.Serializer[Any]):
    value = serializers.CharField(help_text="To be sent as `label`.")
    text = serializers.CharField()


class LabelSetSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    agent = serializers.CharField(source="agent.name")
    name = serializers.CharField()
    subject = serializers.ChoiceField(Subject.choices)
    question = serializers.CharField()
    choices = ChoiceSerializer(many=True)
    annotators = serializers.IntegerField(help_text="People who answer each item.")
    closed = serializers.BooleanField()
    url = serializers.SerializerMethodField()

    @extend_schema_field(serializers.URLField)
    def get_url(self, label_set: LabelSet) -> str:
        url: str = self.context["view"].url("label-set", label_set_id=label_set.pk)
        return url


class LabelSetDetailSerializer(LabelSetSerializer):
    counts = serializers.SerializerMethodField(help_text="Items by status, and all of them.")

    @extend_schema_field(serializers.DictField(child=serializers.IntegerField()))
    def get_counts(self, label_set: LabelSet) -> dict[str, int]:
        return counts(label_set)


class LabelItemSerializer(serializers.Serializer[Any]):
    """What is to be labelled; never what a model says of it."""

    id = serializers.IntegerField()
    customer_id = serializers.CharField(allow_blank=True)
    key = serializers.CharField(allow_blank=True, help_text="Of the interaction or question.")
    at = serializers.DateTimeField(help_text="The moment that the label speaks of.")
    text = serializers.CharField(allow_blank=True)


class NextSerializer(serializers.Serializer[Any]):
    item = LabelItemSerializer(allow_null=True)


class AnnotationInput(StrictSerializer):
    item = serializers.IntegerField(min_value=1, max_value=LARGEST_ID)
    kind = serializers.ChoiceField(
        AnnotationKind.choices,
        default=AnnotationKind.LABEL.value,
        help_text="`withdrawn` takes back what the user said last of the item.",
    )
    label = serializers.CharField(  # type: ignore[assignment]  # a member of the body
        default="", allow_blank=True, max_length=64, help_text="One of the set's answers; for a label only."
    )
    reason = serializers.CharField(default="", allow_blank=True, max_length=500)
    seconds = FiniteFloatField(default=None, allow_null=True, min_value=0, help_text="Time taken.")


class AnnotationSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    item = serializers.IntegerField(source="item_id")
    kind = serializers.ChoiceField(AnnotationKind.choices)
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a member of the answer
    reason = serializers.CharField(allow_blank=True)
    seconds = serializers.FloatField(allow_null=True)
    at = serializers.DateTimeField()


class SaidSerializer(serializers.Serializer[Any]):
    annotator = serializers.CharField(allow_blank=True)
    kind = serializers.ChoiceField(AnnotationKind.choices)
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a member of the answer
    reason = serializers.CharField(allow_blank=True)
    seconds = serializers.FloatField(allow_null=True)
    said_at = serializers.DateTimeField()


class LabelRecordSerializer(serializers.Serializer[Any]):
    """One item with all that was said of it, as the JSON Lines export has it."""

    customer = serializers.CharField(allow_blank=True)
    key = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()
    text = serializers.CharField(allow_blank=True)
    status = serializers.ChoiceField(ItemStatus.choices)
    label = serializers.CharField(allow_blank=True)  # type: ignore[assignment]  # a member of the answer
    decided = serializers.BooleanField(help_text="By a person, whatever the annotators said.")
    settled_by = serializers.CharField(allow_blank=True)
    settled_at = serializers.CharField(allow_blank=True, help_text="ISO time, or empty.")
    drawn = serializers.BooleanField(help_text="At random: estimates on these hold for the whole.")
    probabilities = serializers.DictField(child=serializers.FloatField())
    annotations = SaidSerializer(many=True)


class LabellingView(ApiView):
    tag = "labels"

    def label_set(self, label_set_id: str) -> LabelSet:
        """Return a label set of the tenant. Raises Problem 404."""
        found = None
        if label_set_id.isdecimal() and len(label_set_id) <= 18:
            sets = LabelSet.objects.select_related("agent").filter(agent__tenant=self.tenant)
            found = sets.filter(pk=int(label_set_id)).first()
        if found is None:
            raise Problem(404, f"There is no label set {label_set_id!r}.")
        return found


class LabelSetListView(LabellingView):
    required_permissions = {"GET": ANNOTATE}
    pagination_class = CursorPaging

    @describe(
        "Every label set, newest first",
        parameters=[PageQuery],
        responses={200: LabelSetSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        sets = LabelSet.objects.filter(agent__tenant=self.tenant).select_related("agent")
        return self.page(sets, LabelSetSerializer, query=self.query(PageQuery), ordering=("-id",))


class LabelSetView(LabellingView):
    required_permissions = {"GET": ANNOTATE}

    @describe("One label set and how far it is", responses={200: LabelSetDetailSerializer})
    def get(self, request: Request, label_set_id: str) -> Response:
        label_set = self.label_set(label_set_id)
        return Response(LabelSetDetailSerializer(label_set, context={"view": self}).data)


class NextItemView(LabellingView):
    """It is kept for the user for five minutes, so that two people are not asked the same."""

    required_permissions = {"GET": ANNOTATE}

    @describe("The item that the user should label next", responses={200: NextSerializer})
    def get(self, request: Request, label_set_id: str) -> Response:
        found = next_items(self.label_set(label_set_id), request.user, 1)
        return Response({"item": LabelItemSerializer(found[0]).data if found else None})


class AnnotationsView(LabellingView):
    required_permissions = {"POST": ANNOTATE}

    @describe(
        "Label an item, skip it, say that it cannot be told, or take that back",
        operation_id="label_sets_annotate",
        parameters=[IDEMPOTENCY_KEY],
        request=AnnotationInput,
        responses={201: AnnotationSerializer},
        examples=[
            sent("A label", ANSWER),
            answered("Stored", {"id": 9, "kind": "label", **ANSWER, "at": "2026-03-02T10:15:00Z"}, 201),
        ],
    )
    @idempotent
    def post(self, request: Request, label_set_id: str) -> Response:
        label_set = self.label_set(label_set_id)
        given = self.body(AnnotationInput)
        item = visible_items(label_set, request.user).filter(pk=given["item"]).first()
        if item is None:
            raise Problem(404, f"There is no item {given['item']} in this label set.")
        item.label_set = label_set
        words = {name: given[name] for name in ("kind", "label", "reason", "seconds")}
        try:
            said: Annotation = (
                take_back(item, user=request.user)
                if words["kind"] == AnnotationKind.WITHDRAWN
                else annotate(item, user=request.user, **words)
            )
        except AnnotationRejected as error:
            raise refused(error.field, given.get(error.field), str(error)) from error
        return Response(AnnotationSerializer(said).data, status=201)


class LabelExportView(LabellingView):
    """The audit keeps that the first page was taken."""

    required_permissions = {"GET": MANAGE_LABELS}
    pagination_class = CursorPaging

    @describe(
        "Every item with all annotations, who and when",
        parameters=[PageQuery],
        responses={200: LabelRecordSerializer(many=True)},
        operation_id="label_sets_export",
    )
    def get(self, request: Request, label_set_id: str) -> Response:
        label_set, query = self.label_set(label_set_id), self.query(PageQuery)
        if not query["cursor"]:
            audit.record(
                label_set.agent,
                AuditAction.LABELS_EXPORTED,
                label_set,
                user=request.user,
                detail={"format": "api"},
            )
        items = with_annotations(visible_items(label_set, request.user))
        return self.page(items, _records, query=query, ordering=("id",))


def _records(items: list[LabelItem]) -> list[dict[str, Any]]:
    return [item_record(item) for item in items]
