"""The words of the house as frozen values. No input or output happens here, and nothing asks the time."""
