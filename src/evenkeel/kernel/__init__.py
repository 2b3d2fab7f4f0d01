"""Nouns that every act shares. Imports no act."""
