-- Decides as `quota/decide.rs` does and stores what `quota/record.rs` does, in the same steps and the same whole numbers.
-- Each step has a branch for each algorithm, in this order: `g` is `quota/gcra.rs`, `f` is `fixed_window.rs`, `s` is
-- `sliding_window.rs`. A step bears the name of the function in those files.
local call, floor, max, min, format = redis.pcall, math.floor, math.max, math.min, string.format
local time = call('TIME')
if time.err then return time end
local now = min(time[1] * 1000000 + time[2], 4503599627370495)
local stored = call('GET', KEYS[1])
if type(stored) == 'table' then return stored end
local foreign = {err = 'WRONGTYPE no throttle'}
local function number(text)
  local number = text and #text <= 16 and tonumber(text)
  return number and number < 9007199254740992 and number
end
local function up(dividend, divisor) return floor((dividend + divisor - 1) / divisor) end

-- `is_possible`: what is stored is a record to the letter and within its bounds, or it is something else.
local at, parts = now, {}
if stored then
  local written, life, text = string.match(stored, '^\253(%d+):(%d+)()')
  at, life = number(written), number(life)
  if not (at and life) or at > 4503599627370495 or life < 1 or life > 4503599627371 then return foreign end
  while text <= #stored do
    local kind, digits, first, second, rest = string.match(stored, '^ ([fgs])([1-9]%d*):(%d+):(%d+)()', text)
    if not kind or #parts == 32 then return foreign end
    local period, third, is_possible = number(digits), 0, nil
    first, second = number(first), number(second)
    if kind ~= 'f' then
      local last, ends = string.match(stored, '^:(%d+)()', rest)
      third, rest = number(last), ends
    end
    if not (period and first and second and third) or period > 315576000000 then return foreign end
    if kind == 'g' then is_possible = first <= at + 4503599627370496 and second < third and third <= 4294967295
    elseif kind == 'f' then is_possible = first <= at + period * 1000
    else is_possible = first <= floor(at / 1000) and max(second, third) <= floor(1125899906842624 / period) end
    if not is_possible then return foreign end
    parts[#parts + 1] = {head = kind .. digits, kind = kind, period = period, first = first, second = second, third = third}
    text = rest
  end
end

-- `set_back`: if the clock was set back, time has stood still since the write.
local is_set_back = now < at
if is_set_back then
  local millis = floor(at / 1000) - floor(now / 1000)
  for _, part in ipairs(parts) do
    part.first = max(part.first - (part.kind == 's' and millis or at - now), 0)
  end
end

-- `wait`: the time until the cost fits; zero if it fits now.
local function wait(quota, cost)
  local capacity = quota.capacity
  if cost == 0 then return 0 end
  if quota.kind == 'g' then
    local room = (capacity - cost) * quota.interval
    local whole, rest = floor(room / quota.units), room % quota.units
    return max(quota.ahead + (quota.part > rest and 1 or 0) - whole, 0)
  end
  if quota.kind == 'f' then return quota.count + cost > capacity and quota.ends - now or 0 end
  local period, left, room = quota.period, quota.left, capacity - cost - quota.current
  if quota.previous * left <= room * period then return 0 end
  local millis
  if room >= 0 then millis = left - floor(room * period / quota.previous)
  else millis = left + period - floor((capacity - cost) * period / quota.current) end
  return millis * 1000 - now % 1000
end

-- `advance`: the state of each quota, moved on to now; never fitted to its own limits.
local cost, quotas, allowed = tonumber(ARGV[1]), {}, true
for i = 3, #ARGV, 4 do
  local head = ARGV[i]
  local quota = {head = head, kind = string.sub(head, 1, 1), capacity = tonumber(ARGV[i + 1])}
  local first, second, third = 0, 0, 0
  for _, part in ipairs(parts) do
    if part.head == head and not part.taken then
      first, second, third, part.taken = part.first, part.second, part.third, true
      break
    end
  end
  local period = tonumber(string.sub(head, 2))
  if quota.kind == 'g' then
    local units, ahead, part = tonumber(ARGV[i + 3]), first - now, second
    if ahead < 0 then ahead, part = 0, 0
    elseif third ~= units then ahead, part = ahead + (part > 0 and 1 or 0), 0 end
    quota.interval, quota.units, quota.ahead, quota.part = tonumber(ARGV[i + 2]), units, ahead, part
  elseif quota.kind == 'f' then
    if first <= now then quota.ends, quota.count = now + period * 1000, 0
    else quota.ends, quota.count = first, second end
  else
    local millis = floor(now / 1000)
    local start, current, previous = first, second, third
    local periods = floor((millis - start) / period)
    if periods == 1 then start, current, previous = start + period, 0, current
    elseif periods > 1 then current, previous = 0, 0 end
    if current + previous == 0 then start = millis end
    quota.period, quota.start, quota.current, quota.previous = period, start, current, previous
    quota.left = start + period - millis
  end
  quota.wait = wait(quota, cost)
  allowed = allowed and quota.wait == 0
  quotas[#quotas + 1] = quota
end

-- `spend`, `remaining`, and the time until nothing is used up; and the quota to tell of.
local writes, spends = ARGV[2] ~= '1' and cost > 0, 0
if allowed and writes then spends = cost end
local written, count, longest, strictest, position = '', 0, 0, nil, nil
for i, quota in ipairs(quotas) do
  local kind, capacity, text = quota.kind, quota.capacity, nil
  if kind == 'g' then
    local interval, units, most = quota.interval, quota.units, capacity * quota.interval
    local total = quota.part + spends * interval
    local ahead, part = quota.ahead + floor(total / units), total % units
    quota.ahead, quota.part, quota.remaining = ahead, part, 0
    if ahead <= floor(most / units) then quota.remaining = floor(max(most - (ahead * units + part), 0) / interval) end
    quota.reset = ahead + (part > 0 and 1 or 0)
    if spends > 0 then text = format(' %s:%.0f:%010.0f:%010.0f', quota.head, now + ahead, part, units) end
  elseif kind == 'f' then
    local passed = quota.count + spends
    quota.count, quota.remaining, quota.reset = passed, max(capacity - passed, 0), passed > 0 and quota.ends - now or 0
    if spends > 0 then text = format(' %s:%.0f:%010.0f', quota.head, quota.ends, passed) end
  else
    local period, start, current, previous = quota.period, quota.start, quota.current + spends, quota.previous
    local used = previous * quota.left + current * period
    quota.current, quota.remaining, quota.reset = current, floor(max(capacity * period - used, 0) / period), 0
    if current > 0 then quota.reset = (start + 2 * period) * 1000 - now
    elseif previous > 0 then quota.reset = (start + period) * 1000 - now end
    if spends > 0 then text = format(' %s:%.0f:%010.0f:%010.0f', quota.head, start, current, previous) end
  end
  if text then written, count, longest = written .. text, count + 1, max(longest, quota.reset) end
  if not strictest or quota.wait > strictest.wait or quota.wait == strictest.wait
      and (quota.remaining < strictest.remaining
        or quota.remaining == strictest.remaining and quota.reset > strictest.reset) then
    strictest, position = quota, i - 1
  end
end

-- `end`: the time from which a part doesn't matter any more.
local function ending(part)
  local kind, first, second, third = part.kind, part.first, part.second, part.third
  if kind == 'g' then return first + (second > 0 and 1 or 0) end
  if kind == 'f' then return second > 0 and first or 0 end
  if second + third == 0 then return 0 end
  return (first + (second > 0 and 2 or 1) * part.period) * 1000
end

-- The parts of other throttles stay while they matter, with the parts before them under the same head. An attempt that uses
-- nothing up writes what was read, by the clock that was set back.
if spends > 0 or writes and is_set_back then
  local live = {}
  for i = #parts, 1, -1 do
    local part, left = parts[i], nil
    if not part.taken or spends == 0 then
      left = ending(part) - now
      part.matters = left > 0 or live[part.head]
    end
    if part.matters then live[part.head], longest = true, max(longest, left) end
  end
  for _, part in ipairs(parts) do
    if part.matters then
      written, count = format('%s %s:%.0f:%010.0f', written, part.head, part.first, part.second), count + 1
      if part.kind ~= 'f' then written = format('%s:%010.0f', written, part.third) end
    end
  end
  if count > 32 then return {err = 'TOOMANYQUOTAS on one key'} end
  local life = max(up(longest, 1000), 1)
  written = format('\253%.0f:%013.0f%s', now, life, written)
  local set = call('SET', KEYS[1], written, 'PX', string.format('%.0f', life))
  if set.err then return set end
end
local more = 0
if strictest.remaining < strictest.capacity then more = wait(strictest, strictest.remaining + 1) end
return {allowed and 1 or 0, position, strictest.remaining, strictest.wait, strictest.reset, more}
