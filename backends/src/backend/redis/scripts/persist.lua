if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local persisted = redis.pcall('PERSIST', KEYS[1])
if type(persisted) == 'table' then return persisted end
return 1
