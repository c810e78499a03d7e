"""A mock of the OBELIS API: its rules, its answers and, on request, its bad days."""
