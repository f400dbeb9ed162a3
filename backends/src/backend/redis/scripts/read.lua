local value = redis.pcall('GET', KEYS[1])
if not value or value.err then return value end
return {value, redis.call('PTTL', KEYS[1])}
