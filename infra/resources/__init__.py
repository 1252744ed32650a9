"""One module per kind of resource; `base` says what each must answer."""
