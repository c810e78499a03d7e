"""The hand-over package: bodies byte by byte, and an e-mail that says what is the matter."""

from __future__ import annotations

import json
from dataclasses import replace

from report_service.domain.delivery import State
from report_service.domain.kinds import DeliveryKey
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth
from report_service.ports import MonthCounts, Undelivered
from report_service.services.handover import bodies_file, summary

MONTH = ReportMonth(2026, 9)
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
RATING = Undelivered(
    key=DeliveryKey(MONTH, HUB_RATING, HUB),
    state=State.MISSED,
    reason="",
    path=f"/ocpi/charginghub/{HUB}/ratings",
    payload_sha256="ab" * 32,
    body=b'{"rating":2,  "month":"09-2026","note":"gr\xc3\xbcn \\u00fc"}',
)
UNSURE = replace(RATING, key=DeliveryKey(MONTH, AD_HOC_TARIFF, HUB), state=State.UNRESOLVED)
NOTHING = replace(
    RATING,
    key=DeliveryKey(MONTH, HOTLINE_RATING),
    reason="the source has no row for it",
    payload_sha256=None,
    body=None,
)
COLUMNS = ("fällig", "übermittelt", "entfallen", "offen")
TALLY = MonthCounts(
    month=MONTH,
    by_kind={
        HOTLINE_RATING: {State.MISSED: 1},
        NONDISCRIMINATORY_ACCESS: {State.ACCEPTED: 3, State.WAIVED: 1},
        HUB_RATING: {State.MISSED: 1, State.ACCEPTED: 1},
        AD_HOC_TARIFF: {State.UNRESOLVED: 1, State.ALREADY_REPORTED: 1},
        POINT_RATING: {},
    },
    drifted=0,
    in_doubt=1,
)


def told(*undelivered: Undelivered) -> list[str]:
    return summary(MONTH, TALLY, undelivered, cpo_id="DEABC", bodies_name="bodies.jsonl").splitlines()


def test_each_line_has_a_body_to_the_byte_and_says_what_it_is() -> None:
    lines = bodies_file([NOTHING, RATING, UNSURE]).encode().splitlines(keepends=True)

    assert len(lines) == 2
    assert all(line.endswith(b', "body": ' + (RATING.body or b"") + b"}\n") for line in lines)
    assert {name: value for name, value in json.loads(lines[0]).items() if name != "body"} == {
        "key": f"2026-09/hub_rating/{HUB}",
        "state": "missed",
        "path": RATING.path,
        "sha256": RATING.payload_sha256,
    }
    assert json.loads(lines[1])["state"] == "unresolved"


def test_nothing_to_hand_over_is_an_empty_file() -> None:
    assert bodies_file([NOTHING]) == bodies_file([]) == ""


def test_the_email_counts_what_is_due_delivered_dropped_and_open() -> None:
    lines = told(NOTHING, RATING, UNSURE)
    head = next(at for at, line in enumerate(lines) if line.split() == ["Bericht", *COLUMNS])

    assert lines[0] == "Betreff: Nachreichung der Monatsberichte 09-2026, CPO DEABC"
    assert "für den Berichtsmonat 09-2026 konnten 3 von 9 Berichten nicht" in lines
    assert [line.rsplit(maxsplit=4) for line in lines[head + 1 : head + 6]] == [
        ["Hotline-Bewertung", "1", "0", "0", "1"],
        ["Diskriminierungsfreier Zugang", "4", "3", "1", "0"],
        ["Bewertung der Ladehubs", "2", "1", "0", "1"],
        ["Ad-hoc-Tarif", "2", "1", "0", "1"],
        ["Bewertung der Ladepunkte", "0", "0", "0", "0"],
    ]


def test_the_email_names_what_lacks_figures_and_what_may_have_arrived() -> None:
    lines = told(NOTHING, RATING, UNSURE)

    assert "Die Angaben zu 2 Berichten reichen wir hiermit nach; die Datei bodies.jsonl" in lines
    asked = lines.index("Wir bitten um Mitteilung, ob sie bei Ihnen eingegangen sind:")
    assert lines[asked + 1 : asked + 3] == [f"  Ad-hoc-Tarif {HUB}", ""]
    lacking = lines.index("Zu 1 Bericht liegen uns keine verwendbaren Angaben vor:")
    assert lines[lacking + 1 : lacking + 3] == ["  Hotline-Bewertung", ""]


def test_the_email_leaves_out_what_does_not_apply() -> None:
    text = "\n".join(told(RATING))

    assert "Die Angaben zu 1 Bericht reichen wir hiermit nach" in text
    assert "Mitteilung" not in text
    assert "keine verwendbaren" not in text
    assert "reichen wir" not in "\n".join(told(NOTHING))
