local value = redis.pcall('GET', KEYS[1])
if not value or value.err then return value end
local removed = redis.pcall('UNLINK', KEYS[1])
if type(removed) == 'table' then removed = redis.pcall('DEL', KEYS[1]) end
if type(removed) == 'table' then return removed end
return value
