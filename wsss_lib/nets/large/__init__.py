"""Networks that know more than the weak labels at hand: hidden supervision, named on cards."""
