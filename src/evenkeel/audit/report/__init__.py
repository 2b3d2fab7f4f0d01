"""Reports: an `AuditResult` in, text out. Every format is a pure function of the result; nothing is written here."""
