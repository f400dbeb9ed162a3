local exists = redis.pcall('EXISTS', KEYS[1])
if exists ~= 1 then return exists end
local persisted = redis.pcall('PERSIST', KEYS[1])
if type(persisted) == 'table' then return persisted end
return 1
