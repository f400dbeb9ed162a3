local call, answers = redis.pcall, {}
for i = 1, #KEYS do
  local key, delta, window = KEYS[i], ARGV[2 * i - 1], ARGV[2 * i]
  local left, sum = call('PTTL', key), nil
  if type(left) == 'table' then
    sum, left = left, 0
  elseif left == -2 and window ~= '0' then
    local set = call('SET', key, delta, 'PX', window)
    sum, left = set.err and set or delta, tonumber(window)
  else
    sum = call('INCRBY', key, delta)
    if type(sum) == 'table' then
      if string.find(sum.err, 'overflow', 1, true) then sum = {err = 'OVERFLOW the sum leaves the range'}
      elseif string.find(sum.err, 'not an integer', 1, true) then sum = {err = 'NOTANINTEGER no counter'} end
    else
      if sum >= 9007199254740992 or sum <= -9007199254740992 then
        sum = left == -2 and delta or call('GET', key)
      end
      if left == -1 and window ~= '0' and type(sum) ~= 'table' then
        local ends = call('PEXPIRE', key, window)
        if type(ends) == 'table' then sum = ends end
        left = tonumber(window)
      end
      if type(sum) == 'table' then
        if delta == '-9223372036854775808' then
          call('INCRBY', key, '9223372036854775807')
          delta = '-1'
        end
        call('INCRBY', key, string.sub(delta, 1, 1) == '-' and string.sub(delta, 2) or '-' .. delta)
      end
    end
    if left == -2 then left = -1 end
  end
  answers[2 * i - 1], answers[2 * i] = sum, left
end
return answers
