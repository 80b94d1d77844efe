from django.db import migrations
from django.db.models import F, Index

# The admin lists customers without an answer last. PostgreSQL puts nulls first where an index descends, so
# it needs one of its own for that order; for SQLite and MySQL nulls are the lowest, and the usual one serves.
INDEX = Index("scoring", F("score").desc(nulls_last=True), name="crm_agents_churn_list")


def add(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.add_index(apps.get_model("crm_agents_churn", "ChurnScore"), INDEX)


def remove(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.remove_index(apps.get_model("crm_agents_churn", "ChurnScore"), INDEX)


class Migration(migrations.Migration):

    dependencies = [
        ("crm_agents_churn", "0001_initial"),
    ]

    operations = [
        migrations.RunPython(add, remove),
    ]
