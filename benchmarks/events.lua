-- wrk: post events that were never sent before, `size` a body; report as JSON.
-- Arguments: size, a seed of eight hexadecimal digits, the API key, people, items.
local size, seed, people, items, sent, head
local counter, threads = 0, 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  size, seed, people, items = tonumber(args[1]), args[2], tonumber(args[4]), tonumber(args[5])
  wrk.method, wrk.path = "POST", "/v1/events"
  wrk.headers["Content-Type"], wrk.headers["X-API-Key"] = "application/json", args[3]
end

local function event()
  counter = counter + 1
  return string.format(
    '{"event_id":"%s-%04x-4000-8000-%012x","event_type":"view","user_id":"user-%06d","item_id":"%07d",' ..
    '"session_id":"s-%d","occurred_at":%d,"context":{"channel":"web","device_type":"phone","placement":"home"}}',
    seed, number, counter, (counter * 7919) % people, (counter * 104729) % items, counter % 100000, os.time())
end

function request()
  if size == 1 then return wrk.format(nil, nil, nil, event()) end
  local parts = {}
  for place = 1, size do parts[place] = event() end
  return wrk.format(nil, nil, nil, "[" .. table.concat(parts, ",") .. "]")
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d,' ..
    '"p50_us":%d,"p99_us":%d,"max_us":%d}\n',
    summary.requests, summary.duration, e.connect, e.read, e.write, e.timeout, e.status,
    latency:percentile(50), latency:percentile(99), latency.max))
end
