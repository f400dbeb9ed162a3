local call, floor = redis.pcall, math.floor
local time = call('TIME')
if time.err then return time end
local now = time[1] * 1000000 + time[2]
local stored = call('GET', KEYS[1])
if type(stored) == 'table' then return stored end
local parts = {}
if stored then
  if not string.find(stored, '^\253%d') then return {err = 'WRONGTYPE no throttle'} end
  for part in string.gmatch(stored, '[^ ]+') do parts[#parts + 1] = part end
end
local function up(dividend, divisor) return floor((dividend + divisor - 1) / divisor) end
local function text(number) return string.format('%.0f', number) end

-- Each quota becomes a table of what it says and of what `standing.rs` calls a standing; the kinds below have its functions.
local kinds = {}
kinds.g = {
  read = function(quota, whole, part)
    local debt = 0
    if whole >= now then debt = (whole - now) * quota.units + math.min(part, quota.units - 1) end
    quota.debt = math.min(debt, quota.capacity * quota.time)
  end,
  wait = function(quota, cost)
    return up(math.max(quota.debt - (quota.capacity - cost) * quota.time, 0), quota.units)
  end,
  spend = function(quota, cost) quota.debt = quota.debt + cost * quota.time end,
  remaining = function(quota) return floor(math.max(quota.capacity * quota.time - quota.debt, 0) / quota.time) end,
  reset = function(quota) return up(quota.debt, quota.units) end,
  write = function(quota)
    return text(now + floor(quota.debt / quota.units)) .. ':' .. text(quota.debt % quota.units)
  end,
}
kinds.f = {
  read = function(quota, ends, count)
    local latest = now + quota.period * 1000
    if ends <= now then quota.count, quota.ends = 0, latest
    else quota.count, quota.ends = math.min(count, 4294967295), math.min(ends, latest) end
  end,
  wait = function(quota, cost)
    if quota.count + cost > quota.capacity then return quota.ends - now end
    return 0
  end,
  spend = function(quota, cost) quota.count = quota.count + cost end,
  remaining = function(quota) return math.max(quota.capacity - quota.count, 0) end,
  reset = function(quota)
    if quota.count == 0 then return 0 end
    return quota.ends - now
  end,
  write = function(quota) return text(quota.ends) .. ':' .. text(quota.count) end,
}
kinds.s = {
  read = function(quota, start, current, previous)
    local millis = floor(now / 1000)
    current, previous = math.min(current, quota.capacity), math.min(previous, quota.capacity)
    local periods = floor(math.max(millis - start, 0) / quota.period)
    if periods == 0 then start = math.min(start, millis)
    elseif periods == 1 then start, current, previous = start + quota.period, 0, current
    else current, previous = 0, 0 end
    if current + previous == 0 then start = millis end
    quota.start, quota.current, quota.previous = start, current, previous
    quota.left = start + quota.period - millis
  end,
  wait = function(quota, cost)
    local period, left = quota.period, quota.left
    if quota.previous * left + (quota.current + cost) * period <= quota.capacity * period then return 0 end
    local room, wait = quota.capacity - cost - quota.current, nil
    if room >= 0 then wait = left - floor(room * period / quota.previous)
    else wait = left + period - floor((quota.capacity - cost) * period / quota.current) end
    return wait * 1000 - now % 1000
  end,
  spend = function(quota, cost) quota.current = quota.current + cost end,
  remaining = function(quota)
    local used = quota.previous * quota.left + quota.current * quota.period
    return floor(math.max(quota.capacity * quota.period - used, 0) / quota.period)
  end,
  reset = function(quota)
    if quota.current > 0 then return (quota.start + 2 * quota.period) * 1000 - now end
    if quota.previous > 0 then return (quota.start + quota.period) * 1000 - now end
    return 0
  end,
  write = function(quota) return text(quota.start) .. ':' .. text(quota.current) .. ':' .. text(quota.previous) end,
}

local cost, spends = tonumber(ARGV[1]), ARGV[2] == '0'
local quotas, allowed = {}, true
for i = 1, (#ARGV - 2) / 4 do
  local quota = {head = ARGV[4 * i - 1], capacity = tonumber(ARGV[4 * i]), time = tonumber(ARGV[4 * i + 1])}
  quota.units = tonumber(ARGV[4 * i + 2])
  quota.kind, quota.period = kinds[string.sub(quota.head, 1, 1)], tonumber(string.sub(quota.head, 2))
  local fields = {}
  for field in string.gmatch(parts[i + 1] or '', '[^:]+') do fields[#fields + 1] = field end
  if fields[1] ~= quota.head then fields = {} end
  quota.kind.read(quota, tonumber(fields[2]) or 0, tonumber(fields[3]) or 0, tonumber(fields[4]) or 0)
  quota.wait = quota.kind.wait(quota, cost)
  allowed = allowed and quota.wait == 0
  quotas[i] = quota
end

spends = spends and allowed and cost > 0
local strictest, longest = nil, 0
for i, quota in ipairs(quotas) do
  if spends then quota.kind.spend(quota, cost) end
  quota.remaining, quota.reset = quota.kind.remaining(quota), quota.kind.reset(quota)
  longest = math.max(longest, quota.reset)
  local most = quotas[strictest]
  if not most or quota.wait > most.wait or quota.wait == most.wait and (quota.remaining < most.remaining
      or quota.remaining == most.remaining and quota.reset > most.reset) then strictest = i end
end
if spends then
  local life = math.max(up(longest, 1000), 1)
  local written = {'\253' .. text(now + life * 1000)}
  for i, quota in ipairs(quotas) do written[i + 1] = quota.head .. ':' .. quota.kind.write(quota) end
  local set = call('SET', KEYS[1], table.concat(written, ' '), 'PX', text(life))
  if set.err then return set end
end
local most = quotas[strictest]
return {allowed and 1 or 0, strictest - 1, most.remaining, most.wait, most.reset}
