-- Decides as `standing.rs` does, in the same steps and the same whole numbers.
local call, floor, max, min = redis.pcall, math.floor, math.max, math.min
local time = call('TIME')
if time.err then return time end
local now = time[1] * 1000000 + time[2]
local stored = call('GET', KEYS[1])
if type(stored) == 'table' then return stored end
local foreign = {err = 'WRONGTYPE no throttle'}
local function number(text)
  local number = #text <= 16 and tonumber(text)
  return number and number < 9007199254740992 and number
end
local function up(dividend, divisor) return floor((dividend + divisor - 1) / divisor) end

-- What is stored: to the letter, or it is something else.
local parts = {}
if stored then
  local text = string.match(stored, '^\253%d+()')
  if not text or not number(string.sub(stored, 2, text - 1)) then return foreign end
  while text <= #stored do
    local from, kind, period, first, second, rest =
      string.match(stored, '^ ()([fgs])([1-9]%d*):(%d+):(%d+)()', text)
    if not from then return foreign end
    period, first, second = number(period), number(first), number(second)
    local third = 0
    if kind == 's' then
      local digits, ends = string.match(stored, '^:(%d+)()', rest)
      third, rest = digits and number(digits), ends
    end
    if not (period and first and second and third) or #parts == 16 then return foreign end
    local ends = first + 1
    if kind == 'f' then ends = first elseif kind == 's' then ends = (first + 2 * period) * 1000 end
    parts[#parts + 1] = {text = string.sub(stored, from, rest - 1), head = kind .. string.format('%.0f', period),
      first = first, second = second, third = third, ends = ends}
    text = rest
  end
end

-- How long it takes until the cost fits; nothing if it fits now.
local function wait(quota, cost)
  local capacity = quota.capacity
  if cost == 0 then return 0 end
  if quota.kind == 'g' then return up(max(quota.debt - (capacity - cost) * quota.interval, 0), quota.units) end
  if quota.kind == 'f' then return quota.count + cost > capacity and quota.ends - now or 0 end
  local period, left, room = quota.period, quota.left, capacity - cost - quota.current
  if quota.previous * left <= room * period then return 0 end
  local millis
  if room >= 0 then millis = left - floor(room * period / quota.previous)
  else millis = left + period - floor((capacity - cost) * period / quota.current) end
  return millis * 1000 - now % 1000
end

-- What was used up of each quota, moved on to now.
local cost, quotas, allowed, clamped = tonumber(ARGV[1]), {}, true, false
for i = 3, #ARGV, 4 do
  local head, capacity = ARGV[i], tonumber(ARGV[i + 1])
  local first, second, third = 0, 0, 0
  for _, part in ipairs(parts) do
    if part.head == head and not part.taken then
      first, second, third, part.taken = part.first, part.second, part.third, true
      break
    end
  end
  local quota = {head = head, kind = string.sub(head, 1, 1), capacity = capacity}
  local period = tonumber(string.sub(head, 2))
  if quota.kind == 'g' then
    local interval, units, debt = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), 0
    if first >= now then debt = (first - now) * units + min(second, units - 1) end
    clamped = clamped or debt > capacity * interval
    quota.interval, quota.units, quota.debt = interval, units, min(debt, capacity * interval)
  elseif quota.kind == 'f' then
    local latest = now + period * 1000
    clamped = clamped or first > latest
    if first <= now then quota.ends, quota.count = latest, 0
    else quota.ends, quota.count = min(first, latest), min(second, capacity) end
  else
    local millis = floor(now / 1000)
    local start, current, previous = first, min(second, capacity), min(third, capacity)
    local periods = floor(max(millis - start, 0) / period)
    clamped = clamped or start > millis
    if periods == 0 then start = min(start, millis)
    elseif periods == 1 then start, current, previous = start + period, 0, current
    else current, previous = 0, 0 end
    if current + previous == 0 then start = millis end
    quota.period, quota.start, quota.current, quota.previous = period, start, current, previous
    quota.left = start + period - millis
  end
  quota.wait = wait(quota, cost)
  allowed = allowed and quota.wait == 0
  quotas[#quotas + 1] = quota
end

-- What is used up now, of which quota to tell, and what to store.
local peek, spends = ARGV[2] == '1', 0
if allowed and not peek then spends = cost end
local writes = not peek and (spends > 0 or clamped)
local written, longest, strictest, position = '', 0, nil, nil
for i, quota in ipairs(quotas) do
  local kind, capacity = quota.kind, quota.capacity
  if kind == 'g' then
    local interval, units = quota.interval, quota.units
    local debt = quota.debt + spends * interval
    quota.debt, quota.remaining = debt, floor(max(capacity * interval - debt, 0) / interval)
    quota.reset = up(debt, units)
    if writes then
      written = string.format('%s %s:%.0f:%.0f', written, quota.head, now + floor(debt / units), debt % units)
    end
  elseif kind == 'f' then
    local count = quota.count + spends
    quota.count, quota.remaining, quota.reset = count, capacity - count, count > 0 and quota.ends - now or 0
    if writes then written = string.format('%s %s:%.0f:%.0f', written, quota.head, quota.ends, count) end
  else
    local period, start, current, previous = quota.period, quota.start, quota.current + spends, quota.previous
    local used = previous * quota.left + current * period
    quota.current, quota.remaining, quota.reset = current, floor(max(capacity * period - used, 0) / period), 0
    if current > 0 then quota.reset = (start + 2 * period) * 1000 - now
    elseif previous > 0 then quota.reset = (start + period) * 1000 - now end
    if writes then
      written = string.format('%s %s:%.0f:%.0f:%.0f', written, quota.head, start, current, previous)
    end
  end
  longest = max(longest, quota.reset)
  if not strictest or quota.wait > strictest.wait or quota.wait == strictest.wait
      and (quota.remaining < strictest.remaining
        or quota.remaining == strictest.remaining and quota.reset > strictest.reset) then
    strictest, position = quota, i - 1
  end
end
if writes then
  local room = 16 - #quotas
  for _, part in ipairs(parts) do
    if not part.taken and part.ends > now and room > 0 then
      written, room = written .. ' ' .. part.text, room - 1
      longest = max(longest, min(part.ends - now, 631152000000000))
    end
  end
  local life = max(up(longest, 1000), 1)
  written = string.format('\253%.0f%s', now + life * 1000, written)
  local set = call('SET', KEYS[1], written, 'PX', string.format('%.0f', life))
  if set.err then return set end
end
local more = 0
if strictest.remaining < strictest.capacity then more = wait(strictest, strictest.remaining + 1) end
return {allowed and 1 or 0, position, strictest.remaining, strictest.wait, strictest.reset, more}
