-- Decides as `standing.rs` does, in the same steps and the same whole numbers.
local call, floor, max, min = redis.pcall, math.floor, math.max, math.min
local time = call('TIME')
if time.err then return time end
local now = time[1] * 1000000 + time[2]
local stored = call('GET', KEYS[1])
if type(stored) == 'table' then return stored end
if stored and not string.find(stored, '^\253%d') then return {err = 'WRONGTYPE no throttle'} end
local function up(dividend, divisor) return floor((dividend + divisor - 1) / divisor) end

-- What was used up of each quota, and how long the cost has to wait for it.
local cost, quotas, allowed = tonumber(ARGV[1]), {}, true
local parts = string.gmatch(stored or '', ' (%a%d+):(%d+):(%d+):?(%d*)')
for i = 3, #ARGV, 4 do
  local head, first, second, third = parts()
  if head == ARGV[i] then first, second, third = tonumber(first), tonumber(second), tonumber(third)
  else first, second, third = 0, 0, 0 end
  local capacity, kind = tonumber(ARGV[i + 1]), string.sub(ARGV[i], 1, 1)
  local quota = {head = ARGV[i], kind = kind, capacity = capacity, wait = 0}
  if kind == 'g' then
    local interval, units, debt = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), 0
    if first >= now then debt = (first - now) * units + min(second, units - 1) end
    debt = min(debt, capacity * interval)
    quota.interval, quota.units, quota.debt = interval, units, debt
    quota.wait = up(max(debt - (capacity - cost) * interval, 0), units)
  elseif kind == 'f' then
    local latest = now + tonumber(string.sub(ARGV[i], 2)) * 1000
    if first <= now then quota.ends, quota.count = latest, 0
    else quota.ends, quota.count = min(first, latest), min(second, 4294967295) end
    if quota.count + cost > capacity then quota.wait = quota.ends - now end
  else
    local period, millis = tonumber(string.sub(ARGV[i], 2)), floor(now / 1000)
    local start, current, previous = first, min(second, capacity), min(third, capacity)
    local periods = floor(max(millis - start, 0) / period)
    if periods == 0 then start = min(start, millis)
    elseif periods == 1 then start, current, previous = start + period, 0, current
    else current, previous = 0, 0 end
    if current + previous == 0 then start = millis end
    local left, room = start + period - millis, capacity - cost - current
    quota.period, quota.start, quota.current, quota.previous = period, start, current, previous
    quota.left = left
    if previous * left > room * period then
      local wait
      if room >= 0 then wait = left - floor(room * period / previous)
      else wait = left + period - floor((capacity - cost) * period / current) end
      quota.wait = wait * 1000 - now % 1000
    end
  end
  allowed = allowed and quota.wait == 0
  quotas[#quotas + 1] = quota
end

-- What is used up now, of which quota to tell, and what to store.
local spends = allowed and cost > 0 and ARGV[2] == '0'
local written, longest, strictest, strictest_at = '', 0, nil, nil
for i, quota in ipairs(quotas) do
  local kind, capacity, spent = quota.kind, quota.capacity, spends and cost or 0
  if kind == 'g' then
    local debt, interval, units = quota.debt + spent * quota.interval, quota.interval, quota.units
    quota.remaining, quota.reset = floor(max(capacity * interval - debt, 0) / interval), up(debt, units)
    if spends then
      written = string.format('%s %s:%.0f:%.0f', written, quota.head, now + floor(debt / units), debt % units)
    end
  elseif kind == 'f' then
    local count = quota.count + spent
    quota.remaining, quota.reset = max(capacity - count, 0), count > 0 and quota.ends - now or 0
    if spends then written = string.format('%s %s:%.0f:%.0f', written, quota.head, quota.ends, count) end
  else
    local period, start, current, previous = quota.period, quota.start, quota.current + spent, quota.previous
    local used = previous * quota.left + current * period
    quota.remaining, quota.reset = floor(max(capacity * period - used, 0) / period), 0
    if current > 0 then quota.reset = (start + 2 * period) * 1000 - now
    elseif previous > 0 then quota.reset = (start + period) * 1000 - now end
    if spends then
      written = string.format('%s %s:%.0f:%.0f:%.0f', written, quota.head, start, current, previous)
    end
  end
  longest = max(longest, quota.reset)
  if not strictest or quota.wait > strictest.wait or quota.wait == strictest.wait
      and (quota.remaining < strictest.remaining
        or quota.remaining == strictest.remaining and quota.reset > strictest.reset) then
    strictest, strictest_at = quota, i - 1
  end
end
if spends then
  local life = max(up(longest, 1000), 1)
  written = string.format('\253%.0f%s', now + life * 1000, written)
  local set = call('SET', KEYS[1], written, 'PX', string.format('%.0f', life))
  if set.err then return set end
end
return {allowed and 1 or 0, strictest_at, strictest.remaining, strictest.wait, strictest.reset}
