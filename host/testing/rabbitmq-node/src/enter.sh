mount --rbind /proc "$ROOT/proc" && mount --rbind /dev "$ROOT/dev" && mount --bind "$FOLDER" "$ROOT/mnt" &&
exec chroot "$ROOT" "$@"
