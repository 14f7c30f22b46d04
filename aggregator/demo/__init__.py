"""The newsroom of `aggregator demo`: everything live, nothing but loopback.

newsroom.toml → Newsroom (papers, articles, what is published when) → press (HTTP on 127.0.1.x)
                                                    ↓
                             the real daemon, as a process of its own
                                                    ↑
                        readers (127.0.2.x) who open, like and have tastes
"""

from __future__ import annotations

from aggregator.demo.stage import run_demo

__all__ = ["run_demo"]
