"""Catalogues, tags and decisions. README.md is the map and the glossary."""
