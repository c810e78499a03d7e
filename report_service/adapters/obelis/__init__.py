"""The authority's API: the only room that knows httpx."""
