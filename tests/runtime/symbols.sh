#!/bin/sh
# symbols.sh NM ARCHIVE: the packaged runtime defines hidden symbols under nf_ and no other, wants nothing but libc, threads and what library.h declares, and has no constructor.
set -eu
nm=$1 archive=$2 failed=0

allowed='nf_[a-z_]*|pthread_[a-z_]*|bcmp|memcmp|memcpy|memset|getenv|snprintf|malloc|free|dlerror|dlopen|dlsym|sched_getaffinity|__sched_cpucount|sigfillset|sysconf|_GLOBAL_OFFSET_TABLE_'
if "$nm" --undefined-only --format=just-symbols "$archive" | grep -v ':$' | grep -v '^$' | grep -Evx "$allowed"; then
  echo "wants symbols from elsewhere (above)"
  failed=1
fi
if "$nm" --defined-only --extern-only --format=just-symbols "$archive" | grep -v ':$' | grep -v '^$' | grep -v '^nf_'; then
  echo "defines symbols outside nf_ (above)"
  failed=1
fi
if readelf -Ws "$archive" | awk '($5 == "GLOBAL" || $5 == "WEAK") && $7 != "UND" && $6 != "HIDDEN"' | grep .; then
  echo "defines symbols that are not hidden (above)"
  failed=1
fi
if readelf -WS "$archive" | grep -E '\.(init_array|ctors|tdata|tbss)'; then
  echo "has a constructor or thread-local storage (above)"
  failed=1
fi
if readelf -WS "$archive" | grep 'GNU-stack' | grep -q 'X'; then
  echo "asks for an executable stack"
  failed=1
fi
if strings -a "$archive" | grep -E '^/[a-z]|/(home|root|usr|tmp|work|build)/'; then
  echo "names a directory (above)"
  failed=1
fi
exit $failed
