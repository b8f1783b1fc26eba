"""One file a rule: evidence in, findings with cause, place and edit out."""
