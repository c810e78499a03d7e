"""Planning a month: what is due compared with what the ledger says, kind by kind."""
