#!/bin/sh
# Inside the root: puts the extension into a fresh Blender, as the artist would, and lets the artist work.
set -eu
zip=$1 farm=$2 token=$3
blender -b --command extension validate "$zip"
blender -b --command extension install-file -r user_default -e "$zip"
blender -b --python-exit-code 1 --python scene.py
# Blender's own command line, without a window.
blender -b shots/010.blend --command farm_submit \
  --coordinator "$farm" --token "$token" --frames 1 --no-video --name "From the shell" >command.log
# A screen that only this root's own file system names: any number of these may run side by side.
Xvfb :0 -screen 0 1280x1200x24 -nolisten tcp -nolisten local 2>xvfb.log &
tries=0
until [ -S /tmp/.X11-unix/X0 ]; do
  tries=$((tries + 1))
  [ $tries -lt 200 ] || { cat xvfb.log; exit 1; }
  sleep 0.05
done
DISPLAY=:0 blender --window-geometry 0 0 1280 1200 --enable-event-simulate -noaudio \
  --python-exit-code 1 shots/010.blend --python artist.py
