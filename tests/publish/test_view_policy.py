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

WINDOWS = CHROME.format("Windows NT 10.0; Win64; x64", "Chrome/143.0.0.0")
ENGLISH = {"accept-language": "en-US,en;q=0.9"}

#: a second sample, gathered when the first was known: libraries, copiers of sites, browsers that nobody looks at,
#: previews that begin with Mozilla, readers, requests ahead of a click, and parts of pages
MORE_PROGRAMS: list[tuple[str, str, dict[str, str]]] = [
    ("lwp-request/6.67 libwww-perl/6.67", "", {}),
    ("fetch libfetch/2.0", "*/*", {}),
    ("HTTrack/3.49 Mozilla/4.5 (compatible; HTTrack 3.0x; Windows 98)", HTML, {**ENGLISH}),
    ("Mozilla/4.5 (compatible; HTTrack 3.0x; Windows 98)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Teleport Pro/1.29)", HTML, {**ENGLISH}),
    ("elixir-req/0.5.8", "", {}),
    ("hackney/1.20.1", "*/*", {}),
    ("Typhoeus - https://github.com/typhoeus/typhoeus", "*/*", {}),
    ("unirest-java/4.4.5", "*/*", {}),
    ("Jersey/3.1 (HttpUrlConnection 21.0.4)", "text/html", {}),
    ("rest-client/2.1.0 (linux x86_64) ruby/3.3.0p0", "*/*", {}),
    ("http.rb/5.2.0", "*/*", {**ENGLISH}),
    ("Excon/1.2.2", "*/*", {}),
    ("AHC/2.1", "*/*", {}),
    ("Net::HTTP", "*/*", {}),
    ("Swift-NIO HTTPClient", "*/*", {**ENGLISH}),
    ("MyApp/1 CFNetwork/1498.700.2 Darwin/23.6.0", "*/*", {**ENGLISH}),
    ("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/AP2A)", "*/*", {}),
    ("Mozilla/5.0 (compatible; Nutch/2.4; +http://nutch.apache.org)", HTML, {**ENGLISH}),
    ("Heritrix/3.4 (+http://example.org)", "*/*", {}),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/143.0.0.0 Safari/537.36", CHROME_HTML, {**ENGLISH, **NAVIGATE}),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.2 Safari/605.1.15 Playwright/1.49", HTML, {**ENGLISH, **NAVIGATE}),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/534.34 (KHTML, like Gecko) CasperJS/1.1.4+PhantomJS/2.1.1 Safari/534.34", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) SplashBrowser/1.0 Safari/537.36", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/25.0.1", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Electron/33.2 Safari/537.36 Cypress/13.16", "*/*", {**ENGLISH}),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143 Safari/537.36 HtmlUnit/4.6", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/117 Safari/537.36 MSTeams-LinkPreview", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Yahoo Link Preview; https://help.yahoo.com/kb/mail/yahoo-link-preview-SLN23615.html)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (Linux; Android 8.0.0) AppleWebKit/537.36 Chrome/99 Mobile Safari/537.36 (compatible; Google-InspectionTool/1.0;)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Zoom-LinkUnfurl; +https://zoom.us)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (Viber) ViberUrlDownloader", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; GoogleOther)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/104 Safari/537.36 Google-Safety", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Mattermost-Server/9.11; +https://mattermost.com)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Nextcloud Server Crawler)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; LinkAce/1; +https://linkace.org)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Shiori)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Omnivore)", HTML, {**ENGLISH}),
    ("Feedbro/4.14 (https://nodetics.com/feedbro)", "*/*", {**ENGLISH}),
    ("Yarr/1 (https://yarr.info)", "*/*", {}),
    ("Vienna/3.9.2 (Macintosh)", "*/*", {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Feedspot/1.0; +http://www.feedspot.com)", "*/*", {**ENGLISH}),
    ("CommaFeed/5.3 (https://www.commafeed.com)", "*/*", {}),
    ("Mozilla/5.0 (X11; Linux) NewsFlash/3.3", "*/*", {**ENGLISH}),
    ("Read You/0.11.1(38)", "*/*", {**ENGLISH}),
    ("Mozilla/5.0 (compatible; BazQux/2.4; +https://bazqux.com/fetcher; 2 subscribers)", HTML, {**ENGLISH}),
    ("Wallabag/2.6 (+https://wallabag.org)", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible; Pocket; +https://getpocket.com)", HTML, {**ENGLISH}),
    ("PocketParser/2.0 (+https://getpocket.com/pocketparser_ua)", HTML, {**ENGLISH}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-purpose": "prefetch", **NAVIGATE}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "purpose": "prefetch", **NAVIGATE}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-purpose": "prefetch;anonymous-client-ip", **NAVIGATE}),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", HTML, {**ENGLISH, "x-moz": "prefetch"}),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15", HTML, {**ENGLISH, "x-purpose": "preview"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-purpose": "Prefetch; prerender", **NAVIGATE}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "iframe", "sec-fetch-mode": "navigate"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "frame", "sec-fetch-mode": "navigate"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "embed", "sec-fetch-mode": "navigate"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "object", "sec-fetch-mode": "navigate"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "image", "sec-fetch-mode": "no-cors"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "empty", "sec-fetch-mode": "cors"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "script", "sec-fetch-mode": "no-cors"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "style", "sec-fetch-mode": "no-cors"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "video", "sec-fetch-mode": "no-cors"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "document", "sec-fetch-mode": "no-cors"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "sec-fetch-dest": "worker", "sec-fetch-mode": "same-origin"}),
    (WINDOWS, "image/avif,image/webp,*/*;q=0.8", {**ENGLISH}),
    (WINDOWS, "application/json, text/plain, */*", {**ENGLISH}),
    (WINDOWS, "text/css,*/*;q=0.1", {**ENGLISH}),
    (WINDOWS, "text/html;q=0, application/json", {**ENGLISH}),
    (WINDOWS, CHROME_HTML, {}),
    ("", HTML, {**ENGLISH}),
    ("Mozilla/5.0", HTML, {**ENGLISH}),
    ("Mozilla/5.0 (compatible)", HTML, {**ENGLISH}),
    ("Mozilla/4.0", HTML, {**ENGLISH}),
    ("Mozilla", HTML, {**ENGLISH}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "from": "crawler@example.org"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "range": "bytes=0-16383"}),
    (WINDOWS, CHROME_HTML, {**ENGLISH, "x-requested-with": "XMLHttpRequest"}),
    (WINDOWS, CHROME_HTML, {"accept-language": "*"}),
]  # fmt: skip

#: a third: nearly what a browser sends, and browsers that somebody else steers
NEARLY: list[tuple[str, str, dict[str, str]]] = [
    *((WINDOWS, accept, {**ENGLISH}) for accept in (
        "", "text/*", "*/*", "text/htmlx", "application/xhtml+xml,*/*", "text/html ; q=0", "text/html;level=1;q=0.000", "TEXT/HTML;Q=0, */*",
    )),
    *((WINDOWS, CHROME_HTML, {"accept-language": language}) for language in (
        "*;q=0.5", "en;q=0", "*, de;q=0.0", "null", "undefined", "none", "en US", ";q=1", "-",
    )),
    *((WINDOWS, CHROME_HTML, {**ENGLISH, **headers}) for headers in (
        {"x-requested-with": "fetch"}, {"x-purpose": ": preview"}, {"sec-purpose": "prerender"}, {"sec-fetch-mode": "cors"},
        {"sec-fetch-dest": "fencedframe", "sec-fetch-mode": "navigate"}, {"sec-fetch-dest": "serviceworker"},
        {"signature-agent": '"https://agent.example"'}, {"signature-input": 'sig=("@authority");tag="web-bot-auth"'},
        {"range": "bytes=0-"},
    )),
    (CHROME.format("X11; Linux x86_64", "Chrome/143.0.0.0") + " WebPageTest", CHROME_HTML, {**ENGLISH, **NAVIGATE}),
    (CHROME.format("Windows NT 10.0; Win64; x64", "Chrome/143.0.0.0") + " BrowserUse/0.1", CHROME_HTML, {**ENGLISH, **NAVIGATE}),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; Google Page Speed Insights) Chrome/130 Safari/537.36", CHROME_HTML, {**ENGLISH, **NAVIGATE}),
    ("Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; Microsoft Outlook 16.0.17126; ms-office)", HTML, {**ENGLISH}),
    ("Links (0.9; RSS fetcher)", "application/rss+xml", {**ENGLISH}),
    ("w3m", "*/*", {}),
    ("Linkspector/1.0", HTML, {**ENGLISH}),
    ("chawanbot/1.0", HTML, {**ENGLISH}),
]  # fmt: skip

#: old, small and rare browsers, views within programs of phones, and text browsers
MORE_PEOPLE: list[tuple[str, str, dict[str, str]]] = [
    ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0", HTML, {"accept-language": "fa-IR,fa;q=0.8,en-US;q=0.5,en;q=0.3", **NAVIGATE}),
    ("Mozilla/5.0 (Windows NT 6.1; rv:52.0) Gecko/20100101 Firefox/52.0", HTML, {"accept-language": "zh-TW,zh;q=0.8"}),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_12_6) AppleWebKit/603.3.8 (KHTML, like Gecko) Version/10.1.2 Safari/603.3.8", HTML, {"accept-language": "fr-fr"}),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1", HTML, {"accept-language": "es-es"}),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1", HTML, {"accept-language": "pt-BR"}),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/133.0 Mobile/15E148 Safari/605.1.15", HTML, {"accept-language": "it-IT"}),
    ("Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", HTML, {"accept-language": "en-GB"}),
    ("Mozilla/5.0 (Linux; Android 13; SM-A536B Build/TP1A.220624.014; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.6778.104 Mobile Safari/537.36", CHROME_HTML, {"accept-language": "de-DE,de;q=0.9", "x-requested-with": "com.capyreader.app", **NAVIGATE}),
    ("Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36", CHROME_HTML, {"accept-language": "ko-KR"}),
    ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile DuckDuckGo/5 Safari/537.36", CHROME_HTML, {"accept-language": "en"}),
    ("Mozilla/5.0 (Linux; U; Android 13; ru-ru; Redmi Note 12 Build/TKQ1) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/100.0.4896.127 Mobile Safari/537.36 XiaoMi/MiuiBrowser/13.30.1-gn", CHROME_HTML, {"accept-language": "ru-RU"}),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 YaBrowser/24.12.0.0 Safari/537.36", CHROME_HTML, {"accept-language": "ru"}),
    ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "text/html, application/xhtml+xml, image/jxr, */*", {"accept-language": "en-US"}),
    ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)", "text/html, application/xhtml+xml, */*", {"accept-language": "de"}),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15 Epiphany/605.1.15", HTML, {"accept-language": "en-US, en;q=0.90"}),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Falkon/23.08 Chrome/118 Safari/537.36", CHROME_HTML, {"accept-language": "cs"}),
    ("Mozilla/5.0 (X11; Linux) KHTML/4.14.38 (like Gecko) Konqueror/4.14", "text/html, text/*;q=0.9, image/jpeg;q=0.9, */*;q=0.8", {"accept-language": "en"}),
    ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) QtWebEngine/6.7 Chrome/118 Safari/537.36 qutebrowser/3.2", CHROME_HTML, {"accept-language": "en"}),
    ("Mozilla/5.0 (PlayStation 5) AppleWebKit/605.1.15 (KHTML, like Gecko)", HTML, {"accept-language": "ja"}),
    ("Opera/9.80 (J2ME/MIDP; Opera Mini/9.80/37.6283; U; en) Presto/2.12.423 Version/12.16", "text/html, application/xml;q=0.9, */*;q=0.1", {"accept-language": "id"}),
    ("Mozilla/5.0 (Linux; Android 12; CUBOT KINGKONG 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Mobile Safari/537.36", CHROME_HTML, {"accept-language": "pl"}),
    ("Dillo/3.1.1", "text/html, */*;q=0.5", {"accept-language": "en"}),
    ("NetSurf/3.11 (Linux)", "text/html,*/*;q=0.1", {"accept-language": "en"}),
    ("w3m/0.5.3+git20230121", "text/html, text/*;q=0.5, image/*", {"accept-language": "en;q=1.0"}),
    ("Lynx/2.8.9rel.1 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/3.0.0", "text/html, text/plain, */*;q=0.01", {"accept-language": "en"}),
    ("Links (2.28; Linux 6.1.0 x86_64; GNU C 12.2; text)", "*/*", {"accept-language": "en,*;q=0.1"}),
    ("ELinks/0.13.2 (textmode; Linux 6.1.0 x86_64; 80x24-2)", "*/*", {"accept-language": "en"}),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0 LibreWolf/115", HTML, {"accept-language": "en-US,en;q=0.5"}),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [Pinterest/iOS]", HTML, {"accept-language": "pt-BR"}),
    ("Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131 Mobile Safari/537.36 [Pinterest/Android]", CHROME_HTML, {"accept-language": "en", "x-requested-with": "com.pinterest"}),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:68.0) Gecko/20100101 Goanna/6.7 PaleMoon/33.5.0", HTML, {"accept-language": "en_GB"}),
    ("Mozilla/5.0 (Linux; U; en-US) AppleWebKit/528.5+ (KHTML, like Gecko, Safari/528.5+) Version/4.0 Kindle/3.0 (screen 600x800; rotate)", HTML, {"accept-language": "*;q=0.1, en"}),
    ("Mozilla/5.0 (compatible; Konqueror/3.5; Linux) KHTML/3.5.10 (like Gecko)", "text/html, image/jpeg, image/png, text/*, image/*, */*", {"accept-language": "i-lux"}),
    ("Emacs-w3m/1.4.632 w3m/0.5.3", "text/html, text/*;q=0.5", {"accept-language": "ja; q=1.0"}),
    ("URL/Emacs Emacs/29.1 (X11; x86_64-pc-linux-gnu)", "text/html, text/plain, */*;q=0.01", {"accept-language": "en"}),
    ("edbrowse/3.8.0", "text/*, audio/*, image/*, application/*, message/*", {"accept-language": "en"}),
    ("chawan", "text/html, text/*;q=0.5, */*;q=0.4", {"accept-language": "en"}),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21F79 [FBAN/FBIOS;FBAV/470.0;FBDV/iPhone15,2]", HTML, {"accept-language": "en-US"}),
]  # fmt: skip


def asked(agent: str, accept: str, headers: dict[str, str], method: str = "GET") -> ItemRequest:
    given = {"user-agent": agent, "accept": accept, **headers}
    return ItemRequest(
        method=method, peer="198.51.100.7", headers={name: value for name, value in given.items() if value}
    )


@pytest.mark.parametrize(("agent", "accept", "headers"), PROGRAMS + MORE_PROGRAMS + NEARLY)
def test_a_program_is_not_counted(agent: str, accept: str, headers: dict[str, str]) -> None:
    assert refusal(asked(agent, accept, headers)) is not None


@pytest.mark.parametrize(("agent", "accept", "headers"), PEOPLE + MORE_PEOPLE)
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


def test_of_the_second_sample_the_log_lets_pass_only_the_whole_names_of_browsers() -> None:
    passed = {agent for agent, _, _ in MORE_PROGRAMS if refusal_in_log("GET", agent) is None}
    assert passed == {
        WINDOWS,
        "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    }
