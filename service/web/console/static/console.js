// The reader's own time beside UTC, and a fresh look at Now. Every page is whole without this.
"use strict";

const CLOCK = Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const DAY = Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });

function tellOwnTimes(root) {
  const today = new Date();
  if (today.getTimezoneOffset() === 0) return;
  for (const each of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(each.dateTime);
    const own = moment.toDateString() === today.toDateString() ? CLOCK : DAY;
    each.append(`, ${own.format(moment)} here`);
  }
}

function countDown(root) {
  for (const each of root.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Math.round((new Date(each.dataset.until) - Date.now()) / 1000));
    if (left < 3600) each.textContent = `${Math.floor(left / 60)} min ${left % 60} s left`;
  }
}

async function look(content, old) {
  try {
    const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
    if (answer.redirected) location.assign(answer.url);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    old.hidden = true;
    // Nothing moves under a person who is in the middle of the page.
    if (content.contains(document.activeElement)) return;
    tellOwnTimes(page.getElementById("content"));
    content.replaceChildren(...page.getElementById("content").childNodes);
  } catch {
    old.hidden = false;
  }
}

tellOwnTimes(document);
setInterval(() => countDown(document), 1000);
const content = document.getElementById("content");
if (content.dataset.again) {
  const old = document.createElement("p");
  old.className = "bad";
  old.setAttribute("role", "status");
  old.textContent = "runbookd does not answer. What is shown here is old.";
  old.hidden = true;
  content.before(old);
  const again = async () => {
    if (!document.hidden) await look(content, old);
    setTimeout(again, content.dataset.again * 1000);
  };
  setTimeout(again, content.dataset.again * 1000);
}
