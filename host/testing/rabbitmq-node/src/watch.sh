# Starts the port mapper, starts and kills the node as it is told to, and ends both when there is nobody
# left on standard input. A pid that has been killed is forgotten: it may become another process's.
trap '' INT HUP PIPE
epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 >>"$HOME/output" 2>&1 &
epmd=$!
start() {
    rm -f "$HOME/ended"
    { "$PROGRAMS/rabbitmq-server"; : >"$HOME/ended"; } >>"$HOME/output" 2>&1 &
    server=$!
}
crash() {
    [ -n "$server" ] || return 0
    while [ ! -s "$RABBITMQ_PID_FILE" ] && kill -0 "$server" 2>/dev/null; do sleep 0.1; done
    [ ! -s "$RABBITMQ_PID_FILE" ] || kill -s KILL "$(cat "$RABBITMQ_PID_FILE")"
    wait "$server"
    server=
    rm -f "$RABBITMQ_PID_FILE"
}
while read -r order; do
    "$order" 2>>"$HOME/output"
    echo done
done
crash 2>/dev/null
kill "$epmd"
