"""The stand-in for Supabase's management API."""
