"""Supabase: a project's compute size."""
