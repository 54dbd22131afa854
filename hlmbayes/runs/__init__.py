"""What a command file or equations ask for, done: `jobs`, `asked` (tests), `outputs` (files)."""
