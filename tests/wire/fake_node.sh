#!/bin/sh
# A network's node in a container: fake_node.sh NETWORK GPU. As long as it lives it holds the lock of its GPU, and it writes what it does:
# a line is the time since boot, network, GPU, when this life began, and a word. All that it shares with the others lies in /rig.
network=$1 gpu=$2 working=
read born _ </proc/uptime

say() {
    read now _ </proc/uptime
    echo "$now $network $gpu $born $1" >>/rig/log
}

# A signal ends a wait at once, where it would find a sleep deaf.
pause() {
    sleep "$1" &
    wait $!
}

# First it is shown, then it is asked whether it may be: whoever forbids it and then looks, sees it or has forbidden it in time.
take() {
    echo job >"/rig/jobs-$network-$gpu"
    test ! -e "/rig/drain-$network-$gpu" || rest
}

rest() {
    : >"/rig/jobs-$network-$gpu"
    return 1
}

starve() {
    rm "/rig/hungry-$network-$gpu"
    say starved
    fat=12345678
    while :; do fat=$fat$fat; done
}

trap 'test -z "$working" || say cut; say down; exit 0' TERM
test ! -e "/rig/broken-$network" || exit 7
rest
exec 9>"/rig/lock-$gpu"
say up
flock -n 9 || say two
test ! -e "/rig/deaf-$network" || { trap '' TERM; say deaf; }
while :; do
    pause "0.$((RANDOM % 9 + 1))"
    test ! -e "/rig/hungry-$network-$gpu" || starve
    if take; then
        working=yes
        say job
        pause "$((RANDOM % 2)).$((RANDOM % 10))"
        say done
        working=
        rest
    fi
done
