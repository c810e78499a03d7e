"""The proof as one page that needs no network and no script, prints on A4 and reads on a phone."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from report_service import __version__
from report_service.domain.delivery import DONE, OVER, SENDABLE, State
from report_service.domain.kinds import KINDS
from report_service.domain.months import BERLIN
from report_service.services.proof.figures import (
    Histogram,
    accepted_at,
    durations_s,
    percentile,
    remarkable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from report_service.ports import ReportRecord
    from report_service.services.proof.proof import Proof

KEYS = 10
"""How many reports are named for one reason; the list has all."""
_URGENCY = {"good": 0, "none": 1, "way": 2, "bad": 3}
"""The classes of colours, from what is in to what needs a person."""

_STYLE = """
:root{--ink:#1a1d21;--dim:#5d6670;--line:#d9dee3;--paper:#fff;--good:#2e7d4f;--way:#c98a00;--bad:#b3261e;
--none:#8b95a0}
*{box-sizing:border-box}
body{margin:0 auto;max-width:62rem;padding:1rem;font:15px/1.45 system-ui,sans-serif;color:var(--ink);
background:var(--paper);-webkit-print-color-adjust:exact;print-color-adjust:exact}
h1{font-size:1.5rem;margin:.2rem 0}
h2{font-size:1.1rem;margin:1.8rem 0 .5rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.2rem 0 .3rem}p{margin:.3rem 0}.dim{color:var(--dim)}
code{font-size:.85em;word-break:break-all}
.verdict{font-size:1.15rem;font-weight:600;padding:.5rem .8rem;border-left:.4rem solid}
.good{color:var(--good)}.way{color:var(--way)}.bad{color:var(--bad)}
.kind{display:grid;grid-template-columns:13rem 1fr 7rem;gap:.6rem;align-items:center;margin:.25rem 0}
.kind>:last-child{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{display:flex;height:1.3rem;background:var(--line);overflow:hidden}.bar i{min-width:2px}
i.good,.key.good::before{background:var(--good)}i.way,.key.way::before{background:var(--way)}
i.bad,.key.bad::before{background:var(--bad)}i.none,.key.none::before{background:var(--none)}
.key{display:inline-block;margin-right:1.2rem;color:var(--ink)}
.key::before{content:"";display:inline-block;width:.8em;height:.8em;margin-right:.4em}
.chart{display:flex;align-items:flex-end;height:6rem;gap:1px;border-bottom:1px solid var(--line)}
.chart i{flex:1;background:var(--good);min-height:0}
.ends{display:flex;justify-content:space-between;color:var(--dim)}
table{border-collapse:collapse;width:100%;font-size:.85rem}caption{text-align:left;color:var(--dim)}
th,td{text-align:left;padding:.2rem .5rem .2rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:500}td{overflow-wrap:break-word}
@media (max-width:40rem){.kind{grid-template-columns:1fr auto}.kind>.bar{grid-column:1/3;grid-row:2}
thead{display:none}tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--line)}
td{display:block;border:0;padding:0}td[data-of]::before{content:attr(data-of) ": ";color:var(--dim)}
td:empty{display:none}}
@page{size:A4;margin:14mm}
@media print{table{font-size:8pt}
.list{font-size:6.5pt}.list td{padding:.1rem .3rem .1rem 0;white-space:nowrap}
body{font-size:10pt;padding:0;max-width:none}h2,h3{break-after:avoid}
tr,.kind,.chart{break-inside:avoid}
thead{display:table-header-group}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def as_html(proof: Proof) -> str:
    """Return the page, whole."""
    body = "\n".join(
        [*_head(proof), *_kinds(proof), *_over_time(proof), *_latencies(proof), *_remarks(proof), *_list(proof)]
    )
    title = f"Reports for {proof.month}"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _head(proof: Proof) -> Iterator[str]:
    counts, done = proof.counts, proof.counts.count(DONE)
    yield f"<h1>Reports for {proof.month}</h1>"
    yield f'<p class="dim">{escape(proof.cpo_id)} to {escape(proof.endpoint)}</p>'
    if counts.complete and not counts.drifted:
        style, words = "good", f"Complete: {done:,} of {counts.expected:,} reports are in."
    elif counts.complete:
        style, words = "way", f"All {done:,} reports are in; {counts.drifted:,} changed after delivery."
    else:
        style, words = "bad", f"Not complete: {done:,} of {counts.expected:,} reports are in."
    yield f'<p class="verdict {style}">{words}</p>'
    yield f"<p>Window: {_time(proof.window.opens)} to {_time(proof.window.closes)} (Berlin).</p>"
    yield f'<p class="dim">As of {_time(proof.at)}, by report-service {__version__}.</p>'
    yield f'<p class="dim">Head of the chain of evidence: <code>{proof.head or "none"}</code></p>'


def _kinds(proof: Proof) -> Iterator[str]:
    yield "<h2>Kinds and states</h2>"
    for kind, states in proof.counts.by_kind.items():
        total = sum(states.values())
        held = [(state, f"{states[state]:,} {_words(state)}") for state in _STATES if states.get(state)]
        parts = "".join(
            f'<i class="{_style(state)}" style="flex:{states[state]}" title="{words}"></i>'
            for state, words in held
        )
        done, told = sum(states.get(state, 0) for state in DONE), ", ".join(words for _, words in held)
        bar = f'<div class="bar" role="img" aria-label="{kind.label}: {told or "none due"}">{parts}</div>'
        yield f'<div class="kind"><span>{kind.label}</span>{bar}<span>{done:,} / {total:,}</span></div>'
    keys = (
        f'<span class="key {_style(state)}">{_words(state)} {count:,}</span>'
        for state in _STATES
        if (count := proof.counts.count([state]))
    )
    yield f"<p>{''.join(keys)}</p>"


def _over_time(proof: Proof) -> Iterator[str]:
    times = [at for at in map(accepted_at, proof.reports) if at is not None]
    yield "<h2>Deliveries over time</h2>"
    if not times:
        yield "<p>Nothing was delivered.</p>"
        return
    first, last = min(times), max(times)
    histogram = Histogram.of([(at - first).total_seconds() for at in times])
    yield _chart(histogram, f"{len(times):,} deliveries from {_time(first)} to {_time(last)}")
    ends = (_time(first), f"{len(times):,} in", _time(last))
    yield f'<p class="ends">{"".join(f"<span>{end}</span>" for end in ends)}</p>'


def _latencies(proof: Proof) -> Iterator[str]:
    took = durations_s(proof)
    yield "<h2>How long answers took</h2>"
    if not took:
        yield "<p>No request was answered.</p>"
        return
    half, most, nearly_all = (percentile(took, percent) for percent in (50, 95, 99))
    histogram = Histogram.of(took)
    yield _chart(histogram, f"{len(took):,} answers from {took[0]:.3f} s to {took[-1]:.3f} s")
    yield f'<p class="ends"><span>{took[0]:.3f} s</span><span>{took[-1]:.3f} s</span></p>'
    yield (
        f"<p>{len(took):,} answers: half within {half:.3f} s, 95 % within {most:.3f} s, "
        f"99 % within {nearly_all:.3f} s.</p>"
    )


def _chart(histogram: Histogram, label: str) -> str:
    most = max(histogram.counts) or 1
    bars = "".join(
        f'<i style="height:{100 * count / most:.1f}%" title="{count:,}"></i>' for count in histogram.counts
    )
    return f'<div class="chart" role="img" aria-label="{label}">{bars}</div>'


def _remarks(proof: Proof) -> Iterator[str]:
    yield "<h2>Late, or in need of a person</h2>"
    alike: dict[tuple[State, str], list[str]] = {}
    for report, reason in remarkable(proof):
        alike.setdefault((report.state, reason), []).append(str(report.key))
    if not alike:
        yield "<p>Nothing.</p>"
        return
    rows = [
        (escape(reason), f'<span class="{_style(state)}">{_words(state)}</span>', f"{len(keys):,}", _keys(keys))
        for (state, reason), keys in sorted(alike.items(), key=lambda item: -_URGENCY[_style(item[0][0])])
    ]
    yield from _table(("why", "state", "how many", "reports"), rows)


def _keys(keys: Sequence[str]) -> str:
    more = [f"... and {len(keys) - KEYS:,} more"] if len(keys) > KEYS else []
    return "<br>".join([*map(escape, keys[:KEYS]), *more])


def _list(proof: Proof) -> Iterator[str]:
    yield "<h2>Every report</h2>"
    heads = ("report", "state", "evidence", "OBELIS's id", "in", "tries", "sha256 of what was sent")
    for kind in KINDS:
        rows = [_row(report) for report in proof.reports if report.key.kind is kind]
        if rows:
            yield f"<h3>{kind.label} ({len(rows):,})</h3>"
            yield from _table(heads, rows, style="list")


def _row(report: ReportRecord) -> tuple[str, ...]:
    at = accepted_at(report)
    return (
        escape(report.key.subject or "hotline"),
        f'<span class="{_style(report.state)}">{_words(report.state)}</span>',
        report.evidence or "",
        escape(report.obelis_id or ""),
        _time(at) if at else "",
        str(len(report.attempts)) if report.attempts else "",
        f"<code>{(report.payload_sha256 or '')[:16]}</code>" if report.attempts else "",
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, style: str = "") -> Iterator[str]:
    kind = f' class="{style}"' if style else ""
    yield f"<table{kind}><thead><tr>{''.join(f'<th>{escape(head)}</th>' for head in heads)}</tr></thead><tbody>"
    names = [f' data-of="{escape(head)}"' if number else "" for number, head in enumerate(heads)]
    for row in rows:
        cells = (f"<td{name}>{cell}</td>" for name, cell in zip(names, row, strict=True))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"


def _style(state: State) -> str:
    """Return the class of a state's colour: done, on its way, waived or handed in, in need of a person."""
    if state in {State.ACCEPTED, State.ALREADY_REPORTED}:
        return "good"
    if state in DONE:
        return "none"
    return "way" if state in SENDABLE | {State.IN_FLIGHT} and state not in OVER else "bad"


def _words(state: State) -> str:
    return state.value.replace("_", " ")


def _time(at: datetime) -> str:
    return f"{at.astimezone(BERLIN):%d %b %Y %H:%M:%S}"


_STATES = sorted(State, key=lambda state: _URGENCY[_style(state)])
"""States in the order of their colours."""
