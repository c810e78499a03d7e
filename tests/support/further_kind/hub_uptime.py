"""A made-up kind of report: how long a charging hub could be used, one report a month and hub."""

from __future__ import annotations

from report_service.domain import parsers
from report_service.domain.descriptors import HUB, Column, Kind

HUB_UPTIME = Kind(
    name="hub_uptime",
    rank=35,
    label="hub uptime",
    german="Verfügbarkeit der Ladehubs",
    source="hub-uptimes",
    subject=HUB,
    columns=(
        Column(name="uptime", field="uptime", stored=parsers.number, parse=parsers.rate, waivable=True),
        Column(name="outages", field="outages", stored=parsers.plain_number, parse=parsers.whole),
        Column(name="remark", field="remark", stored=parsers.text, parse=parsers.text, required=False),
    ),
    path="/charginghub/{hub_id}/uptime",
    sample=lambda _month, random: {"uptime": f"0.9{random.randrange(10)}", "outages": random.randrange(5)},
)
