"""Systems that teach themselves by consistency."""
