"""What the API's own description says, against what is sent."""
