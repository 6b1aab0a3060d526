"""How fast the library's blocks are beside the packages that people use today: ``make bench``."""
