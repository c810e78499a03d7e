"""The hand-over package: what a closed window left undelivered, for the authority, by other means.

For each month one file with the exact bodies that would have been sent, one JSON object a line, and one text
that can be sent as an e-mail; it is in German, which is the authority's language. The same ledger always makes
the same files.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from report_service.domain.delivery import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from report_service.domain.months import ReportMonth
    from report_service.ports import MonthCounts, Undelivered


def bodies_file(undelivered: Sequence[Undelivered]) -> str:
    """Return the lines of the bodies' file; each `body` is, to the byte, what would have been sent."""
    lines = []
    for one in undelivered:
        if one.body is not None:
            about = {"key": str(one.key), "state": one.state.value, "path": one.path, "sha256": one.payload_sha256}
            # The body is put in as it stands: to encode it again could change its bytes.
            lines.append(f'{json.dumps(about)[:-1]}, "body": {one.body.decode()}}}\n')
    return "".join(lines)


def summary(
    month: ReportMonth,
    month_counts: MonthCounts,
    undelivered: Sequence[Undelivered],
    *,
    cpo_id: str,
    bodies_name: str,
) -> str:
    """Return the text of an e-mail to the authority."""
    attached = [one for one in undelivered if one.body is not None]
    lacking = [one for one in undelivered if one.body is None]
    unresolved = [one for one in undelivered if one.state is State.UNRESOLVED]
    lines = [
        f"Betreff: Nachreichung der Monatsberichte {month.wire()}, CPO {cpo_id}",
        "",
        "Sehr geehrte Damen und Herren,",
        "",
        (
            f"für den Berichtsmonat {month.wire()} konnten {len(undelivered)} von {month_counts.expected} "
            "Berichten nicht"
        ),
        "fristgerecht über die API von OBELISdeutschlandnetz übermittelt werden.",
        "",
        f"{'Bericht':<32}{'fällig':>8}{'übermittelt':>13}{'entfallen':>11}{'offen':>8}",
    ]
    missing = Counter(one.key.kind for one in undelivered)
    for kind, states in month_counts.by_kind.items():
        due, waived, handed_in = sum(states.values()), states.get(State.WAIVED, 0), states.get(State.HANDED_IN, 0)
        delivered = due - waived - handed_in - missing[kind]
        later = f"  ({handed_in} bereits nachgereicht)" if handed_in else ""
        lines.append(f"{kind.german:<32}{due:>8}{delivered:>13}{waived:>11}{missing[kind]:>8}{later}")
    lines.append("")
    if attached:
        lines += [
            f"Die Angaben zu {_reports(attached)} reichen wir hiermit nach; die Datei {bodies_name}",
            "enthält je Zeile einen Bericht in der Form, in der er übermittelt worden wäre.",
            "",
        ]
    if unresolved:
        lines += [
            f"Bei {len(unresolved)} dieser Berichte wurde die Übermittlung begonnen, aber nicht bestätigt.",
            "Wir bitten um Mitteilung, ob sie bei Ihnen eingegangen sind:",
            *map(_line, unresolved),
            "",
        ]
    if lacking:
        lines += [
            f"Zu {_reports(lacking)} liegen uns keine verwendbaren Angaben vor:",
            *map(_line, lacking),
            "",
        ]
    return "\n".join([*lines, "Mit freundlichen Grüßen", ""])


def _reports(those: Sequence[Undelivered]) -> str:
    return f"{len(those)} {'Bericht' if len(those) == 1 else 'Berichten'}"


def _line(one: Undelivered) -> str:
    return f"  {one.key.kind.german} {one.key.subject}".rstrip()
