"""Words that must not be read, sent or suggested: personal data, and lists of blocked words. No torch."""
