"""Delivering a month, or corrections: what may be sent when, what came back, and what that means for the rest.

`dispatcher` is the loop (choose, record, hand out, wait), `gate` the one place that says now, when, or never,
`outcomes` what everything learns of an answer. Law 8: everything has a bound. Where each lives:

| what                          | bound                                         | kept in                      |
|-------------------------------|-----------------------------------------------|------------------------------|
| what the API's clock says     | 15 min, then a request measures it anew       | `domain.api_clock`           |
| a kind's endpoint is down     | probes 2 to 60 s apart; Retry-After to 10 min | `domain.circuit_breaker`     |
| the API's host is down        | the same for all kinds; one answer ends it    | `circuits` (host)            |
| the token's host gives none   | the same, alone                               | `token_cache` (circuit)      |
| a token                       | its own life, or 5 min; the first 401         | `token_cache`                |
| a firewall throttles          | 1, 2, 4 min, half the pace for an hour; halt  | `domain.refusals`            |
| nothing is permitted          | 20 in a row, none accepted this month: halt   | `domain.refusals`            |
| a kind is refused as a whole  | 20; then one probe a run, put off by an hour  | `refusal_watch` (Brake)      |
| every id is unknown           | 20, or all of them; told once a day           | `refusal_watch`              |
| an answer nobody can read     | three sends, then as a refused report         | `domain.delivery`            |
| a report's next try           | back-off to retry.cap_s, a quarter of what is | `domain.delivery`            |
|                               | left of the window                            | (RetryPolicy)                |
| a correction                  | four sends, then left to the next call        | `domain.correction`          |
| the API takes no corrections  | 3 refused in a row, none taken: halt          | `corrections`                |
| corrections get no answer     | 10 in a row: halt                             | `corrections`                |
| the lease                     | 60 s, renewed each 20 s beside the run        | `lease_keeper`               |
| a run that hangs              | 15 min without a sign of life ends its lease  | `lease_keeper`               |
| one request                   | obelis.timeout_s, below half of the lease     | `adapters.obelis.transport`  |
| a run without progress        | its patience                                  | `dispatcher`                 |
| a store that is away          | patience; what is under way comes first       | `dispatcher`                 |
| a process that is to end      | run.grace_s for what is in flight             | `dispatcher`                 |
| a source                      | sources.*.timeout_s, to 15 min; it costs its  | `adapters.db.bounded`        |
|                               | kind alone                                    |                              |
"""
