"""What data an agent lacks, as facts: files and tables keep these, and the apps turn them into words.

code         facts       what is missing
no_events    -           any event at all
customers    have, need  customers with an event of the outcome
purchases    have, need  events of the outcome
days         have, need  days from the first of them to the last
early_days   have, need  days of history before the validation window
no_examples  -           a training example before the validation window
inactive     days        of one customer: a purchase within so many days
no_sales     -           a sale of any product that is offered
nothing_left -           of one customer: a product that was sold and that staff did not refuse

Of tasks on texts that people labelled:

labels             have, need         labelled texts
label_kinds        have, need         different labels
label_texts        label, have, need  texts of one label before the validation window
validation_labels  have, need         labelled texts in the validation window
test_labels        have, need         labelled texts in the test window
no_text            days               of one customer: a text within so many days
"""

from typing import Any

Missing = dict[str, Any]


def plain(fact: Missing) -> str:
    """Return a fact for logs: "purchases (have 212, need 500)"."""
    facts = ", ".join(f"{name} {value}" for name, value in fact.items() if name != "code")
    return f"{fact['code']} ({facts})" if facts else str(fact["code"])
