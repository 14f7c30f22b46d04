// Optional ([site] script = true): j and k go from title to title, o opens one; titles that have come since the last
// visit are marked. What is remembered stays in this browser.
"use strict";
(() => {
  const titles = [...document.querySelectorAll("main :is(h2, h3, h4, .t) > a[href*='/item/']")];
  let at = -1;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const step = { j: 1, k: -1 }[event.key];
    if (step && titles.length) {
      const focused = titles.indexOf(document.activeElement);
      at = Math.min(Math.max((focused < 0 ? at : focused) + step, 0), titles.length - 1);
      titles[at].focus();
      titles[at].scrollIntoView({ block: "nearest" });
    } else if (event.key === "o" && titles.includes(document.activeElement)) {
      document.activeElement.click();
    }
  });
  const pause = 18e5; // a visit ends after half an hour without a page
  const now = Date.now();
  try {
    const last = +localStorage.getItem("last") || now;
    let since = +localStorage.getItem("since") || now;
    if (now - last > pause) since = last;
    localStorage.setItem("since", since);
    localStorage.setItem("last", now);
    for (const title of titles) {
      const box = title.closest("li, article");
      const time = box && box.querySelector("time");
      if (time && Date.parse(time.dateTime) > since) title.classList.add("fresh");
    }
  } catch { /* storage is switched off: nothing is remembered */ }
})();
