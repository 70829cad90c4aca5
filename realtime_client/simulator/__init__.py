"""realtime_client."""
