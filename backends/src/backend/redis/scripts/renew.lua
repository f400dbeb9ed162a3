local value = redis.pcall('GET', KEYS[1])
if not value or value.err then return value end
local left = redis.pcall('PTTL', KEYS[1])
if type(left) == 'table' then return left end
if left >= 0 and left < tonumber(ARGV[1]) then
  local renewed = redis.pcall('PEXPIRE', KEYS[1], ARGV[1])
  if type(renewed) == 'table' then return renewed end
end
return value
