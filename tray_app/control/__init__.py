"""The one surface for every face: what they are shown, and the verbs they may ask for."""
