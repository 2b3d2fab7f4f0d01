"""The console: a page at `/` to chat, and to see how the server does. Talks only to the API.

Plain HTML, CSS and ES modules, without a build and without anything from elsewhere, so it works offline. `build_console`
answers the routes; a page may load nothing but this server's own files (content security policy).
"""

from __future__ import annotations

from evenkeel.serve.console.pages import build_console

__all__ = ["build_console"]
