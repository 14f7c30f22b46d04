# ruff: noqa: E501  (agents are one line each)
"""Programs are not counted, whatever they call themselves; browsers of people are."""

from __future__ import annotations

import pytest

from aggregator.publish.audience import ItemRequest, refusal, refusal_in_log

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME_HTML = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) {} Safari/537.36"
NAVIGATE = {"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}

#: what they send with GET /go/<id>: agent, Accept, other headers. From their sources, or captured
PROGRAMS: list[tuple[str, str, dict[str, str]]] = [
    # tools and libraries
    ("curl/8.11.0", "*/*", {}),
    ("Wget/1.24.5", "*/*", {}),
    ("Wget2/2.1.0", "*/*", {}),
    ("aria2/1.37.0", "*/*", {}),
    ("Axel/2.17.11", "*/*", {}),
    ("HTTPie/3.2.4", "*/*", {}),
    ("xh/0.22.2", "*/*", {}),
    ("python-requests/2.32.3", "*/*", {}),
    ("Python-urllib/3.13", "", {}),
    ("Python/3.12 aiohttp/3.11.10", "*/*", {}),
    ("python-httpx/0.28.1", "*/*", {}),
    ("Scrapy/2.12.0 (+https://scrapy.org)", HTML, {"accept-language": "en"}),
    ("Go-http-client/2.0", "", {}),
    ("colly - https://github.com/gocolly/colly/v2", "*/*", {}),
    ("Java/21.0.5", "text/html, image/gif, image/jpeg, */*; q=.2", {}),
    ("Java-http-client/21", "", {}),
    ("Apache-HttpClient/5.4.1 (Java/17.0.9)", "", {}),
    ("okhttp/4.12.0", "", {}),
    ("Ruby", "*/*", {}),
    ("Faraday v2.12.1", "*/*", {}),
    ("GuzzleHttp/7", "", {}),
    ("PHP/8.3.14", "*/*", {}),
    ("axios/1.7.9", "application/json, text/plain, */*", {}),
    ("node", "*/*", {"accept-language": "*", "sec-fetch-mode": "cors"}),
    ("undici", "*/*", {"accept-language": "*", "sec-fetch-mode": "cors"}),
    ("Deno/2.1.4", "*/*", {"accept-language": "*"}),
    ("reqwest/0.12", "*/*", {}),
    ("ureq/2.12.1", "*/*", {}),
    ("Dart/3.6 (dart:io)", "", {}),
    ("libwww-perl/6.77", "", {}),
    ("Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.26100.2161", "", {}),
    ("PostmanRuntime/7.43.0", "*/*", {}),
    ("insomnia/10.3.0", "*/*", {}),
    ("Mechanize/2.12.2 Ruby/3.3.6", HTML, {"accept-language": "en-us,en;q=0.5"}),
    ("", "*/*", {}),
    # feed readers
    ("newsboat/2.38.0 (Linux x86_64)", "*/*", {}),
    ("Mozilla/5.0 (compatible; Miniflux/2.2.4; +https://miniflux.app)", "application/xml, text/xml;q=0.9, */*;q=0.8", {}),
    ("FreshRSS/1.25.0 (Linux; https://freshrss.org)", "application/atom+xml, application/rss+xml;q=0.9, */*;q=0.1", {}),
    ("Tiny Tiny RSS/24.12 (https://tt-rss.org/)", "*/*", {}),
    ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 12 subscribers; )", "*/*", {}),
    ("Feedbin feed-id:1234 - 3 subscribers", "*/*", {}),
    ("NewsBlur Feed Fetcher - 2 subscribers - https://www.newsblur.com/site/1/x (Mozilla/5.0)", "*/*", {}),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) NewsBlur Page Fetcher - 3 subscribers", HTML, {}),
    ("Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 7 subscribers; )", "*/*", {}),
    ("NetNewsWire (RSS Reader; https://netnewswire.com/)", "*/*", {"accept-language": "en-US,en;q=0.9"}),
    ("Reeder/5050001 CFNetwork/1568.300.101 Darwin/24.2.0", "*/*", {"accept-language": "de-DE,de;q=0.9"}),
    ("ReadKit/3.5 CFNetwork/1490.0.4 Darwin/23.2.0", "*/*", {"accept-language": "en-GB,en;q=0.9"}),
    ("Liferea/1.15.8 (Linux; https://lzone.de/liferea/) AppleWebKit (KHTML, like Gecko)", "application/atom+xml", {}),
    ("Akregator/24.12 QtWebEngine/6.8", "*/*", {}),
    ("QuiteRSS/0.19.4", "*/*", {}),
    ("RSS Guard/4.8.1 (Linux)", "*/*", {}),
    ("Thunderbird/128.6.0", "application/atom+xml,application/rss+xml", {}),
    ("SimplePie/1.8.0 (Feed Parser; http://simplepie.org)", "application/atom+xml, */*;q=0.1", {}),
    # previews of links
    ("facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "*/*", {}),
    ("WhatsApp/2.24.25.78 A", "*/*", {"accept-language": "en"}),
    ("TelegramBot (like TwitterBot)", "", {}),
    ("Twitterbot/1.0", "*/*", {}),
    ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "*/*", {}),
    ("Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", "*/*", {}),
    ("LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)", HTML, {}),
    ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com", "*/*", {}),
    ("Synapse (bot; +https://github.com/matrix-org/synapse)", "*/*", {"accept-language": "en"}),
    ("Mastodon/4.3.2 (http.rb/5.2.0; +https://mastodon.example/)", "text/html", {}),
    ("Iframely/1.3.1 (+https://iframely.com/docs/about)", "*/*", {}),
    ("Signal-Desktop/7.37 WhatsApp/2", "text/html", {}),
    # watching
    ("Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "text/html", {"accept-language": "en-US"}),
    ("Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "*/*", {}),
    ("Uptime-Kuma/1.23.16", "text/html,*/*", {}),
    ("StatusCake_Pagespeed_Indev", HTML, {"accept-language": "en-US"}),
    ("check_http/v2.4.0 (monitoring-plugins 2.4.0)", "", {}),
    ("Blackbox Exporter/0.25.0", "", {}),
    ("Zabbix", "*/*", {}),
    ("Mozilla/5.0 (compatible; Site24x7)", "*/*", {}),
    ("Better Uptime Bot Mozilla/5.0", HTML, {}),
    ("W3C-checklink/5.0.0 libwww-perl/6.77", "*/*", {}),
    ("LinkChecker/10.5.0 (+https://linkchecker.github.io/)", "*/*", {}),
    # search engines and language models
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", HTML, {}),
    (CHROME.format("compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm", "Chrome/131"), HTML, {"accept-language": "en"}),
    ("Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)", HTML, {"accept-language": "ru, uk;q=0.8"}),
    ("Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)", "*/*", {"accept-language": "zh-cn"}),
    ("DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)", HTML, {}),
    ("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", "*/*", {}),
    ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)", "*/*", {}),
    ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0", HTML, {"accept-language": "en-US"}),
    ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)", "*/*", {}),
    ("Mozilla/5.0 (compatible; PerplexityBot/1.0; +https://perplexity.ai/perplexitybot)", HTML, {"accept-language": "en"}),
    (CHROME.format("Linux; Android 5.0", "Bytespider"), HTML, {"accept-language": "en"}),
    ("CCBot/2.0 (https://commoncrawl.org/faq/)", HTML, {"accept-language": "en-US,en;q=0.5"}),
    ("Mozilla/5.0 (compatible; archive.org_bot +http://archive.org/details/archive.org_bot)", HTML, {}),
    ("meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)", "*/*", {}),
    ("Mozilla/5.0 (compatible; Applebot/0.1; +http://www.apple.com/go/applebot)", HTML, {"accept-language": "en"}),
    # browsers that nobody looks at, and programs that borrow a browser's name
    (CHROME.format("X11; Linux x86_64", "HeadlessChrome/131.0.0.0"), CHROME_HTML, {"accept-language": "en-US", **NAVIGATE}),
    ("Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1", HTML,
     {"accept-language": "en,*"}),
    (CHROME.format("Macintosh", "Chrome/131 Chrome-Lighthouse"), CHROME_HTML, {"accept-language": "en-US", **NAVIGATE}),
    (CHROME.format("Windows NT 10.0; Win64; x64", "Chrome/131.0.0.0"), "*/*", {}),
    (CHROME.format("Windows NT 10.0; Win64; x64", "Chrome/131.0.0.0"), HTML, {}),
    ("Mozilla/5.0", "*/*", {"accept-language": "en"}),
    ("Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)", "*/*", {}),
    (CHROME.format("X11; Linux x86_64", "Chrome/131.0.0.0"), CHROME_HTML,
     {"accept-language": "en-US", **NAVIGATE, "sec-purpose": "prefetch;prerender"}),
]  # fmt: skip

#: with the headers that they send over http, and some over https
PEOPLE: list[tuple[str, str, dict[str, str]]] = [
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", HTML, NAVIGATE),
    ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", HTML, {}),
    (CHROME.format("Windows NT 10.0; Win64; x64", "Chrome/142.0.0.0"), CHROME_HTML, NAVIGATE),
    (CHROME.format("Linux; Android 10; K", "Chrome/142.0.0.0 Mobile"), CHROME_HTML, {}),
    (CHROME.format("Linux; Android 8.1.0; CUBOT X18", "Chrome/120.0.0.0 Mobile"), CHROME_HTML, {}),
    (CHROME.format("Windows NT 10.0; Win64; x64", "Chrome/142.0.0.0") + " Edg/142.0.0.0", CHROME_HTML, NAVIGATE),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15",
     HTML, {}),
    (("Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 "
     "Mobile/15E148 Safari/604.1"), HTML, NAVIGATE),
    (CHROME.format("X11; Linux x86_64", "Chrome/140.0.0.0") + " OPR/124.0.0.0", CHROME_HTML, {}),
    ("w3m/0.5.3+git20230121", "text/html, text/*;q=0.5, image/*, application/*", {}),
    ("Lynx/2.9.0dev.12 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.7.8", "text/html, text/plain, text/sgml, text/css, */*;q=0.01", {}),
    ("Links (2.29; Linux 6.1.0 x86_64; GNU C 12.2; text)", "*/*", {}),
]  # fmt: skip


def asked(agent: str, accept: str, headers: dict[str, str], method: str = "GET") -> ItemRequest:
    given = {"user-agent": agent, "accept": accept, **headers}
    return ItemRequest(
        method=method, peer="198.51.100.7", headers={name: value for name, value in given.items() if value}
    )


@pytest.mark.parametrize(("agent", "accept", "headers"), PROGRAMS)
def test_a_program_is_not_counted(agent: str, accept: str, headers: dict[str, str]) -> None:
    assert refusal(asked(agent, accept, headers)) is not None


@pytest.mark.parametrize(("agent", "accept", "headers"), PEOPLE)
def test_a_persons_browser_is_counted(agent: str, accept: str, headers: dict[str, str]) -> None:
    given = {"accept-language": "de-DE,de;q=0.8,en;q=0.5", **headers}
    assert refusal(asked(agent, accept, given)) is None
    assert refusal(asked(agent, accept, given, method="HEAD")) == "method"
    assert refusal_in_log("GET", agent) is None


def test_there_are_programs_of_every_kind() -> None:
    assert len({agent for agent, _, _ in PROGRAMS}) >= 90


def test_what_a_log_tells_is_enough_for_nearly_all_programs() -> None:
    """It has no Accept: what borrows a browser's whole name, and asks ahead, cannot be told there."""
    passed = {agent for agent, _, _ in PROGRAMS if refusal_in_log("GET", agent) is None}
    assert passed <= {
        CHROME.format("Windows NT 10.0; Win64; x64", "Chrome/131.0.0.0"),
        CHROME.format("X11; Linux x86_64", "Chrome/131.0.0.0"),
        "Mozilla/5.0",
        "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1)",
    }
