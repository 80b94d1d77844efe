"""The feedback buttons' fields, checked."""

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _

from crm_agents.models.feedback import Feedback, FeedbackVerdict
from crm_agents.recipes import get_recipe

LONGEST_QUERY = 2_000  # characters


class FeedbackForm(forms.Form):
    """One verdict on one score (`item` empty) or on one recommended item."""

    agent = forms.CharField()
    item = forms.CharField(required=False, max_length=Feedback._meta.get_field("item").max_length)
    verdict = forms.ChoiceField(choices=FeedbackVerdict.choices)
    reason = forms.CharField(required=False, max_length=Feedback._meta.get_field("reason").max_length)

    def clean_agent(self) -> str:
        name: str = self.cleaned_data["agent"]
        try:
            get_recipe(name)
        except LookupError as error:
            raise forms.ValidationError(_("There is no agent %(name)r.") % {"name": name}) from error
        return name

    @property
    def query(self) -> dict[str, list[str]]:
        """What the address of the customer's page asked for besides the tenant: filters, say."""
        asked = QueryDict(str(self.data.get("query", ""))[:LONGEST_QUERY])
        return {name: values for name, values in asked.lists() if name != "tenant"}

    @property
    def anchor(self) -> str:
        """Fragment of the block on the customer's page that the feedback came from."""
        agent = self.data.get("agent", "")
        return f"#panel-{agent}" if agent.replace("_", "").replace("-", "").isalnum() else ""
