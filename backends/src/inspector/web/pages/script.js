// Counts the remaining lives on a page down, in the form in which the server writes them.
"use strict";

const loaded = performance.now();

function text(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days.toLocaleString("en")} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

function count() {
  const gone = performance.now() - loaded;
  for (const place of document.querySelectorAll("[data-left]")) {
    const left = Number(place.dataset.left) - gone;
    place.textContent = left > 0 ? text(left) : "ended";
  }
}

if (document.querySelector("[data-left]")) {
  count();
  setInterval(count, 1000);
}
