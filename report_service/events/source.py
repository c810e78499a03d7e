"""What is due and with which figures: the inventory and the source's rows."""

from __future__ import annotations

from report_service.events.fields import event
from report_service.events.shapes import Level

EVENTS = (
    event(
        "data.missing",
        Level.WARNING,
        "A report is due and has no source row. A warning, for data often comes during the month; "
        "how near the end is, the heartbeat says.",
        "key kind month",
    ),
    event(
        "inventory.shrunk",
        Level.ERROR,
        "Over 10 % fewer reports are due than for the month before, or than were planned, or a table of the "
        "inventory is empty. Nothing is taken out of what is expected, and the month is not complete, until "
        "it is whole again or a person accepts it. By a daemon when that begins and once a day.",
        "month expected previous_expected",
        "detail",
    ),
    event(
        "inventory.accepted",
        Level.INFO,
        "A person said that the inventory is right as it is.",
        "month expected detail",
    ),
    event(
        "source.faulty",
        Level.ERROR,
        "A table of the source cannot be read, or a row of it cannot be used and belongs to no single "
        "report: a person must mend it. At most 50 a run; by a daemon when that begins and once a day.",
        "month detail",
    ),
    event(
        "figures.implausible",
        Level.WARNING,
        "Figures of a kind can hardly be what was meant, and are sent all the same: stars for grades, euros "
        "for cents, another month's validity. A person should look. Once a day.",
        "kind month detail",
    ),
)
