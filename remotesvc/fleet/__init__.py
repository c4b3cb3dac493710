"""Many hosts as one: what became of each (`outcome`) and the loop that asks them all (`gather`)."""
