"""A mock of the API, for laptops, rehearsals and tests."""
