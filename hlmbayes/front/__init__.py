"""What users hold: faces, whose methods call downwards on the records they carry."""
