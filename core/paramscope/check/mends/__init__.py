"""The edits that usually mend a kind of mistake, as text; each file holds those of one family."""
