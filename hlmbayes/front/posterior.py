"""Stub until merged."""
