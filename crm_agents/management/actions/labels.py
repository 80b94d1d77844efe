import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from crm_agents.management.actions import agent_arguments, chosen_agent
from crm_agents.models import Agent, ItemStatus, LabelItem, LabelSet
from crm_agents.models.audit import AuditAction
from crm_agents.services import audit
from crm_agents.services.labelling import progress
from crm_agents.services.labelling.agreement import krippendorff_alpha, units_of
from crm_agents.services.labelling.exporting import csv_lines, json_lines
from crm_agents.services.labelling.importing import import_labels
from crm_agents.services.labelling.parsing import SHOWN_ERRORS, LabelsRejected

HELP = "label sets of one agent: how far they are, and their labels to and from files"
LINES = {"csv": csv_lines, "jsonl": json_lines}


def arguments(parser: CommandParser) -> None:
    parser.add_argument("verb", choices=["status", "export", "import"])
    agent_arguments(parser)
    parser.add_argument(
        "--set", dest="label_set", default="", help="name of the set, where there are several"
    )
    parser.add_argument("--file", default="-", help="file to read or write; - for the terminal")
    parser.add_argument("--format", choices=sorted(LINES), help="else by the file's name; csv on a terminal")


def run(options: Mapping[str, Any], stdout: IO[str]) -> None:
    agent = chosen_agent(options)
    if options["verb"] == "status":
        for label_set in agent.label_sets.filter(**_named(options)).order_by("pk"):
            _status(label_set, stdout)
    elif options["verb"] == "export":
        _export(_chosen(agent, options), options, stdout)
    else:
        _import(_chosen(agent, options), options, stdout)


def _named(options: Mapping[str, Any]) -> dict[str, str]:
    return {"name": options["label_set"]} if options["label_set"] else {}


def _chosen(agent: Agent, options: Mapping[str, Any]) -> LabelSet:
    found = list(agent.label_sets.filter(**_named(options)).select_related("agent")[:2])
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(_("%(agent)s has no such label set; make one in the admin.") % {"agent": agent})
    names = ", ".join(agent.label_sets.values_list("name", flat=True))
    raise CommandError(
        _("%(agent)s has several label sets; choose one with --set: %(names)s.")
        % {"agent": agent, "names": names}
    )


def _status(label_set: LabelSet, stdout: IO[str]) -> None:
    known = progress.counts(label_set)
    states = ", ".join(f"{known[status]} {status.label}" for status in ItemStatus)
    stdout.write(f"{label_set.name}\t{label_set.subject}\t{known['all']}: {states}\n")
    for person in progress.people(label_set):
        stdout.write(f"    {person.name or '-'}\t{person.labels}\n")
    alpha = krippendorff_alpha(units_of(label_set))
    if alpha is not None:
        stdout.write(f"    Krippendorff's alpha {alpha:.3f}\n")
    honest = progress.overall(progress.honest_estimates(label_set))
    if honest is not None:
        text = _("accuracy %(accuracy)s (%(low)s to %(high)s) on %(drawn)s drawn at random")
        figures = {name: f"{getattr(honest, name):.3f}" for name in ("accuracy", "low", "high")}
        stdout.write(f"    {text % {**figures, 'drawn': honest.drawn}}\n")


def _format(options: Mapping[str, Any]) -> str:
    ending = Path(options["file"]).suffix.lower().removeprefix(".")
    return options["format"] or (ending if ending in LINES else "csv")


def _export(label_set: LabelSet, options: Mapping[str, Any], stdout: IO[str]) -> None:
    chosen = _format(options)
    lines = LINES[chosen](LabelItem.objects.filter(label_set=label_set))
    audit.record(label_set.agent, AuditAction.LABELS_EXPORTED, label_set, detail={"format": chosen})
    if options["file"] == "-":
        for line in lines:
            stdout.write(line)
        return
    try:
        with Path(options["file"]).open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
    except OSError as error:
        raise CommandError(str(error)) from error


def _import(label_set: LabelSet, options: Mapping[str, Any], stdout: IO[str]) -> None:
    try:
        content = sys.stdin.buffer.read() if options["file"] == "-" else Path(options["file"]).read_bytes()
        done = import_labels(label_set, content, file_format=_format(options))
    except OSError as error:
        raise CommandError(str(error)) from error
    except LabelsRejected as rejected:
        lines = [
            _("Line %(line)s: %(what)s") % {"line": error.line, "what": error.message}
            for error in rejected.errors[:SHOWN_ERRORS]
        ]
        raise CommandError("\n".join(lines)) from rejected
    text = _("%(rows)s rows: %(items)s new items, %(annotations)s answers, %(settled)s final labels.")
    stdout.write(text % vars(done) + "\n")
