#!/bin/sh
# What a server can take, and what its users wait when more is asked. Requests come at planned moments, whether answers
# come or not, over eight connections; the rate grows until the server does not keep up.
#
#   PATH=$PWD/build/release:$PATH examples/find_what_a_server_can_take.sh
#
# Needs the programs galley and example_keep_a_server_responsive (./dev build galley_program example_keep_a_server_responsive).
set -eu

dir=$(mktemp -d)
mkfifo "$dir/said"
example_keep_a_server_responsive --port 0 >"$dir/said" &
server=$!
trap 'exit 1' INT TERM
trap 'kill "$server" 2>/dev/null || true; wait "$server" || true; rm -rf "$dir"' EXIT
exec 3<"$dir/said"
read -r said <&3  # "listening on port 41733": it is ready
url="http://localhost:${said##* }/compute?n=30"

for rate in 100 1000 5000; do
  code=0
  galley load http "$url" --rate "$rate:300ms" --connections 8 --deadline 200ms --allow-status 503 >"$dir/report" ||
    code=$?
  cat "$dir/report"
  echo
  case $code in
    0) ;;
    3) echo "(this machine was too busy to send in time: believe the shape, not the figures)" ;;
    *) exit "$code" ;;
  esac
done

cat <<'END'
response  from the planned moment to the answer: what a user waits.
service   from the sending to the answer: what the server takes, and all that a tester sees who waits for each answer.
While both are alike the server keeps up. Where response grows far beyond service, requests wait for a connection: the
server is asked for more than it can do. Answers with 503 are those that it refused so that the others are served.
END
trap 'rm -rf "$dir"' EXIT
kill "$server"
wait "$server"  # it ends in order, with 0
cat <&3
