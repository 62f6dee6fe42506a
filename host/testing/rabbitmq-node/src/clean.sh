# Runs what watches over a node, and deletes the node's folder afterwards.
trap '' INT HUP PIPE
"$@"
rm -rf "$FOLDER"
