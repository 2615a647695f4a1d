"""``tagstudio.settings.dev`` (the default), ``.prod`` and ``.test``; TAGSTUDIO_ENV chooses between the first two."""
