"""What users bring: pictures, tables, lists and names as other programs write them."""
