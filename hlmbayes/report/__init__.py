"""Results as a listing, a page, or JSON: `tables.Tables` holds what is printed, the rest prints it."""
