"""What customers pay for statements: facts that are recorded once each, with their postings."""
