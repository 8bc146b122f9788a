-- wrk's requests: one Alertmanager v4 notification of two alerts each.
--   URLPATH   where to post
--   AUTH      the Authorization header, if any
--   UNIQUE    1: alerts that were never seen before; otherwise the same two again and again
--   DELAY_MS  pause of each connection between its requests, for a bounded rate
-- Prints one line of JSON at the end; times in it are in microseconds.
local path = os.getenv("URLPATH")
local auth = os.getenv("AUTH")
local unique = os.getenv("UNIQUE") == "1"
local delay_ms = tonumber(os.getenv("DELAY_MS") or "0")
local run = os.getenv("RUN") or "0"
local threads, serial = 0, 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

local function alert(n, i)
  return string.format(
    '{"status":"firing","labels":{"alertname":"High CPU Usage","severity":"warning",' ..
    '"instance":"api-%s-%d-%d-%d","job":"quizmentor-api","service":"api"},' ..
    '"annotations":{"summary":"CPU above 80%%"},"startsAt":"2026-01-01T09:28:15.481Z",' ..
    '"endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus:9090/graph?g0.expr=cpu",' ..
    '"fingerprint":"%s%02x%07x%x"}', run, number, n, i, run, number, n, i)
end

local head = '{"version":"4","groupKey":"{}:{alertname=\\"High CPU Usage\\"}","truncatedAlerts":0,' ..
  '"status":"firing","receiver":"runbookd","groupLabels":{"alertname":"High CPU Usage"},' ..
  '"commonLabels":{"alertname":"High CPU Usage"},"commonAnnotations":{},' ..
  '"externalURL":"http://alertmanager:9093","alerts":['

function request()
  serial = serial + 1
  local n = unique and serial or 0
  local headers = { ["Content-Type"] = "application/json" }
  if auth then headers["Authorization"] = auth end
  return wrk.format("POST", path, headers, head .. alert(n, 1) .. "," .. alert(n, 2) .. "]}")
end

if delay_ms > 0 then
  -- Spread, so that the connections don't move in step.
  function delay() return math.random(math.floor(delay_ms / 2), math.floor(delay_ms * 3 / 2)) end
end

function done(summary, latency)
  local failed = summary.errors.status + summary.errors.timeout + summary.errors.connect +
    summary.errors.read + summary.errors.write
  io.write(string.format('{"requests":%d,"duration":%d,"failed":%d,"p50":%d,"p99":%d}\n',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99)))
end
