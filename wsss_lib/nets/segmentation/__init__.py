"""Networks that answer for every pixel, alone or in pairs."""
