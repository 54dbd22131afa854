"""HLM's own text files: command files (.hlm) and MDM templates (.mdmt), read and written."""
