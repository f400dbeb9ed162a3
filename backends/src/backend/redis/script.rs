//! The operations that take more than one command: each one is a script, so that it is one step and one round trip.
//!
//! Scripts answer with text where a number could be larger than a double holds. Errors of the commands inside are handed
//! on as they are (`pcall`), because Redis 6.2 buries the code word of an error that `call` raises.

use std::sync::LazyLock;

use redis::Script;

use super::resp::{self, Argument, Command};

/// The code word of a sum that leaves the range of `i64`.
pub(super) const OVERFLOW: &str = "OVERFLOW";
/// The code word of counting on something that is not an integer.
pub(super) const NOT_AN_INTEGER: &str = "NOTANINTEGER";
/// The code word of an attempt for which there is no room beside the quotas of others.
pub(super) const TOO_MANY_QUOTAS: &str = "TOOMANYQUOTAS";

/// A script and the hash by which a server knows it.
pub(super) struct Source {
    code: &'static str,
    hash: String,
}

impl Source {
    fn new(code: &'static str) -> Self {
        let hash = Script::new(code).get_hash().to_string();
        Self { code, hash }
    }
}

/// Key; none. Answers the value and its remaining milliseconds.
pub(super) static READ: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        r"local value = redis.pcall('GET', KEYS[1])
if not value or value.err then return value end
return {value, redis.call('PTTL', KEYS[1])}",
    )
});

/// Key; milliseconds. Answers the value and gives the key these milliseconds if it would end sooner.
pub(super) static RENEW: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        r"local value = redis.pcall('GET', KEYS[1])
if not value or value.err then return value end
local left = redis.pcall('PTTL', KEYS[1])
if type(left) == 'table' then return left end
if left >= 0 and left < tonumber(ARGV[1]) then
  local renewed = redis.pcall('PEXPIRE', KEYS[1], ARGV[1])
  if type(renewed) == 'table' then return renewed end
end
return value",
    )
});

/// Keys; milliseconds. Does what `RENEW` does for each key; one of a foreign type is nothing, as in `MGET`.
pub(super) static RENEW_MANY: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        r"local values = redis.pcall('MGET', unpack(KEYS))
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
return values",
    )
});

/// Key; expected value, new value, `KEEP`, `NEVER` or milliseconds. Answers whether it was swapped.
pub(super) static COMPARE_AND_SET: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        r"local present = redis.pcall('GET', KEYS[1])
if present and present.err then return present end
if present ~= ARGV[1] then return 0 end
local set
if ARGV[3] == 'KEEP' then set = redis.pcall('SET', KEYS[1], ARGV[2], 'KEEPTTL')
elseif ARGV[3] == 'NEVER' then set = redis.pcall('SET', KEYS[1], ARGV[2])
else set = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if set.err then return set end
return 1",
    )
});

/// Key; expected value. Answers how many keys were removed.
pub(super) static COMPARE_AND_DELETE: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        r"local present = redis.pcall('GET', KEYS[1])
if present and present.err then return present end
if present ~= ARGV[1] then return 0 end
return redis.pcall('UNLINK', KEYS[1])",
    )
});

/// Old and new key; expected value, new value, `KEEP`, `NEVER` or milliseconds, and the value to be replaced if there is to
/// be one. Answers whether the entry was moved.
pub(super) static MOVE: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        r"local present = redis.pcall('GET', KEYS[1])
if present and present.err then return present end
if present ~= ARGV[1] then return 0 end
local when, set = 'NX', nil
if ARGV[4] then
  local replaced = redis.pcall('GET', KEYS[2])
  if replaced and replaced.err then return replaced end
  if replaced ~= ARGV[4] then return 0 end
  when = 'XX'
end
if ARGV[3] == 'KEEP' and ARGV[4] then set = redis.pcall('SET', KEYS[2], ARGV[2], 'KEEPTTL', when)
elseif ARGV[3] == 'KEEP' or ARGV[3] == 'NEVER' then set = redis.pcall('SET', KEYS[2], ARGV[2], when)
else set = redis.pcall('SET', KEYS[2], ARGV[2], 'PX', ARGV[3], when) end
if not set then return 0 end
if set.err then return set end
return redis.pcall('UNLINK', KEYS[1])",
    )
});

/// Keys; for each the delta and its window in milliseconds, 0 for none. Answers for each the sum (text where a double could
/// not hold it) or an error, and the remaining milliseconds.
///
/// Many counters in one script cost the server half of what as many scripts do. No error is raised: each counter
/// has its own. A user who may not run one of the commands gets the server's refusal and has counted nothing: what was
/// added is taken away by the command that added it, the one that this user may run for certain. It can't take the least
/// number away at once, which has no counterpart.
pub(super) static COUNT: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        r"local call, answers = redis.pcall, {}
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
return answers",
    )
});

/// Key; none. Takes the end of the key's life away and answers whether there is a key.
pub(super) static PERSIST: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        r"if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local persisted = redis.pcall('PERSIST', KEYS[1])
if type(persisted) == 'table' then return persisted end
return 1",
    )
});

/// Key; cost, 1 for a peek or 0, and for each quota its head, capacity, and interval as a fraction. Answers whether the attempt
/// was allowed, the position of the quota to tell of, what remains of it, and the microseconds until the attempt fits, until
/// nothing is used up, and until more remains.
pub(super) static THROTTLE: LazyLock<Source> =
    LazyLock::new(|| Source::new(include_str!("throttle.lua")));

/// An addition to one counter, of which several can be sent as one script.
pub(super) struct Count {
    key: Argument,
    delta: i64,
    /// In milliseconds, 0 for none.
    window: u64,
}

impl Count {
    pub(super) fn new(prefix: &[u8], key: &[u8], delta: i64, window: u64) -> Self {
        Self {
            key: Argument::joined(prefix, key),
            delta,
            window,
        }
    }

    pub(super) fn write_key(&self, out: &mut Vec<u8>) {
        self.key.write_to(out);
    }

    pub(super) fn write_arguments(&self, out: &mut Vec<u8>) {
        resp::write_number(out, self.delta);
        resp::write_number(out, self.window);
    }

    /// Writes what stands before the keys of so many counts.
    pub(super) fn begin_merged(out: &mut Vec<u8>, counts: usize) {
        resp::begin(out, 3 + 3 * counts);
        Argument::new("EVALSHA").write_to(out);
        Argument::new(&COUNT.hash).write_to(out);
        resp::write_number(out, counts);
    }

    /// Returns the invocation in full, for a server that doesn't know the hash.
    pub(super) fn in_full(&self) -> Command {
        let eval = Command::new("EVAL").arg(COUNT.code).number(1);
        eval.encoded(&self.key)
            .number(self.delta)
            .number(self.window)
    }

    pub(super) fn length(&self) -> usize {
        self.key.length()
    }
}

/// A script's invocation by hash, which can be turned into one in full for a server that doesn't know the hash.
pub(super) struct Invocation {
    script: &'static Source,
    by_hash: Command,
}

impl Invocation {
    /// Begins an invocation; the keys and the arguments follow, in this order.
    pub(super) fn new(script: &'static Source, keys: usize) -> Self {
        let by_hash = Command::new("EVALSHA").arg(&script.hash).number(keys);
        Self { script, by_hash }
    }

    /// Adds a key, which begins with `prefix`.
    pub(super) fn key(mut self, prefix: &[u8], key: &[u8]) -> Self {
        self.by_hash = self.by_hash.joined(prefix, key);
        self
    }

    pub(super) fn arg(mut self, argument: impl AsRef<[u8]>) -> Self {
        self.by_hash = self.by_hash.arg(argument);
        self
    }

    pub(super) fn number(mut self, number: impl itoa::Integer) -> Self {
        self.by_hash = self.by_hash.number(number);
        self
    }

    pub(super) fn by_hash(&self) -> &Command {
        &self.by_hash
    }

    /// Loads the script into the server's cache on the way.
    pub(super) fn in_full(&self) -> Command {
        Command::new("EVAL")
            .arg(self.script.code)
            .tail_of(&self.by_hash, 2)
    }
}
