"""The three wire protocols that OpenRouter speaks, one module each (see `values.Skin`)."""
