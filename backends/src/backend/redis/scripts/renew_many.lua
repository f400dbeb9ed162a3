local values = redis.pcall('MGET', (table.unpack or unpack)(KEYS))
if values.err then return values end
for i, key in ipairs(KEYS) do
  if values[i] then
    local left = redis.pcall('PTTL', key)
    if type(left) == 'table' then return left end
    if left >= 0 and left < tonumber(ARGV[1]) then
      local renewed = redis.pcall('PEXPIRE', key, ARGV[1])
      if type(renewed) == 'table' then return renewed end
    end
  end
end
return values
