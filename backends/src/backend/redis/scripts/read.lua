local value = redis.pcall('GET', KEYS[1])
if not value or value.err then return value end
local left = redis.pcall('PTTL', KEYS[1])
if type(left) == 'table' then return left end
return {value, left}
