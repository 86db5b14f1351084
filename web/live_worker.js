/** A worker that all tabs of a browser share: one stream for all of them.  Tabs say `start`, `stop`, `retry`, `suspect`, `bye`. */
import { LiveSource } from "./live_source.js";

const tabs = new Set();
const source = new LiveSource((message) => tell(message));

function tell(message) {
  for (const tab of tabs) tab.postMessage(message);
}

function start(tab) {
  tabs.add(tab);
  if (!source.running) {
    source.start();
    return;
  }
  tab.postMessage({ kind: "status", detail: source.status });
  // What it has fetched before it was heard here may be out of date already.
  tab.postMessage({ kind: "refresh" });
}

function stop(tab) {
  tabs.delete(tab);
  source.stop();
  tell({ kind: "signedout" });
}

self.addEventListener("connect", ({ ports: [tab] }) => {
  tab.addEventListener("message", ({ data }) => {
    if (data === "start") start(tab);
    else if (data === "stop") stop(tab);
    else if (data === "bye") tabs.delete(tab);
    else if (data === "retry") source.retry();
    else if (data === "suspect") source.suspect();
  });
  tab.start();
});
