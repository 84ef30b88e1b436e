-- Bring events into one person's overlay, once each; the value is that of contracts/overlay.py.
-- KEYS: overlay. ARGV: six numbers in one (life of a session, life of a forgetting, most events, most gone items, now,
-- forgotten at; ms, 0 is not asked), events [[id, type, item, at, value, gone until], …], and perhaps gone {item: until}
-- taken over from another overlay. Returns the sequence number after each event, and last that of the overlay.
local numbers = {}
for word in string.gmatch(ARGV[1], '%d+') do numbers[#numbers + 1] = tonumber(word) end
local session_life, forgotten_life, most_events, most_gone, now, forget_at = unpack(numbers)
local new, more_gone = cjson.decode(ARGV[2]), ARGV[3] and cjson.decode(ARGV[3]) or {}

local raw = redis.call('GET', KEYS[1])

local HEAD, TAIL, BETWEEN, LEAST_ROW = '^([01]){"seq":(%d+),"events":%[', '],"gone":{}}', '],["', 60

-- An event that names an item makes a decision due; one that names none, such as a page seen, changes no list.
local function flag_of(rows)
  for _, event in ipairs(rows) do
    if event[3] ~= '' then return '1' end
  end
  return '0'
end

-- What most events need: rows added behind those of somebody who hides nothing, without reading what stands there.
-- Text is enough, because a quote inside of an id is escaped, so that `],["` stands between rows only.
local function append()
  if forget_at > 0 or ARGV[3] or #new > most_events then return nil end
  local seq, rows, last_at, flag = 0, '', 0, '0'
  if raw then
    local _, head_end, former, digits = string.find(raw, HEAD)
    if not digits or string.sub(raw, -#TAIL) ~= TAIL then return nil end
    seq, rows, flag = tonumber(digits), string.sub(raw, head_end + 1, -#TAIL - 1), former
    last_at = tonumber(string.match(string.sub(rows, -80), ',(%d+),[^,%]]+%]$'))
    if not last_at or last_at + session_life <= now then return nil end
  end
  local parts, known, replies = {}, {}, {}
  for place, event in ipairs(new) do
    local id, at = event[1], event[4]
    if event[6] > 0 or at < last_at or at + session_life <= now then return nil end
    if known[id] or string.find(rows, id, 1, true) then return nil end
    known[id], last_at, seq = true, at, seq + 1
    parts[place], replies[place] = cjson.encode({id, event[2], event[3], at, event[5]}), seq
  end
  if #parts == 0 then return nil end
  if #rows / LEAST_ROW + #parts > most_events then
    local count, from = #parts + 1, 1
    while true do
      local found = string.find(rows, BETWEEN, from, true)
      if not found then break end
      count, from = count + 1, found + #BETWEEN
    end
    while count > most_events do
      local first_end = string.find(rows, BETWEEN, 1, true)
      rows, count = first_end and string.sub(rows, first_end + 2) or '', count - 1
    end
  end
  local all = (rows == '' and '' or rows .. ',') .. table.concat(parts, ',')
  if flag == '0' then flag = flag_of(new) end
  redis.call('SET', KEYS[1], string.format('%s{"seq":%d,"events":[', flag, seq) .. all .. TAIL,
    'PX', string.format('%d', last_at + session_life - now))
  replies[#replies + 1] = seq
  return replies
end

local appended = append()
if appended then return appended end

local seq, events, gone, forgotten, changed = 0, {}, {}, 0, false
if raw then
  local ok, body = pcall(cjson.decode, string.sub(raw, 2))
  if ok and type(body) == 'table' then
    seq, events, forgotten = body.seq or 0, body.events or {}, body.forgotten or 0
    for item, till in pairs(body.gone or {}) do
      if till > now then gone[item] = till end
    end
  end
end

if forget_at > forgotten then
  forgotten, events, gone, seq, changed = forget_at, {}, {}, seq + 1, true
end
if #events > 0 and events[#events][4] + session_life <= now then
  events = {}
end

local known = {}
for _, event in ipairs(events) do known[event[1]] = true end

local function insert(event)
  if event[4] + session_life <= now then return false end
  if #events >= most_events and event[4] < events[1][4] then return false end
  local place = #events + 1
  while place > 1 and events[place - 1][4] > event[4] do place = place - 1 end
  table.insert(events, place, event)
  if #events > most_events then table.remove(events, 1) end
  return true
end

local function hide(item, till)
  if item == '' or till <= now or (gone[item] or 0) >= till then return false end
  gone[item] = till
  return true
end

local replies = {}
for place, event in ipairs(new) do
  local till = table.remove(event, 6)
  if event[4] > forgotten and not known[event[1]] then
    known[event[1]] = true
    local is_hidden, is_in = hide(event[3], till), insert(event)
    if is_hidden or is_in then seq, changed = seq + 1, true end
  end
  replies[place] = seq
end
for item, till in pairs(more_gone) do
  if hide(item, till) then changed = true end
end

replies[#replies + 1] = seq
if not changed then return replies end

local count, last = 0, 0
for _ in pairs(gone) do count = count + 1 end
while count > most_gone do
  local first
  for item, till in pairs(gone) do
    if not first or till < gone[first] then first = item end
  end
  gone[first], count = nil, count - 1
end
for _, till in pairs(gone) do last = math.max(last, till) end
if #events > 0 then last = math.max(last, events[#events][4] + session_life) end
if forgotten > 0 then last = math.max(last, forgotten + forgotten_life) end
if last <= now then
  redis.call('DEL', KEYS[1])
  return replies
end
local flag = (count > 0 or forgotten > 0) and '1' or flag_of(events)
local body = string.format('%s{"seq":%d,"events":%s,"gone":%s', flag, seq,
  #events > 0 and cjson.encode(events) or '[]', cjson.encode(gone))
if forgotten > 0 then body = body .. string.format(',"forgotten":%d', forgotten) end
redis.call('SET', KEYS[1], body .. '}', 'PX', string.format('%d', last - now))
return replies
