"""Tables of CRMs that nobody here chose: UUID, text and number keys, many owners, dates without a zone."""
