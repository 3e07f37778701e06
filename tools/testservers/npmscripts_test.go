package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeBundlerNPM installs a fake esbuild, which writes its flags.
const fakeBundlerNPM = `#!/bin/sh
mkdir -p node_modules/.bin || exit 1
printf '#!/bin/sh\nout=${1#--outdir=}\nmkdir "$out" && echo "$@" > "$out/client.js"\n' > node_modules/.bin/esbuild
chmod +x node_modules/.bin/esbuild
`

// ensureBuilt bundles the scripts of npm packages for browsers. Other scripts get another path in the cache.
func TestNPMScriptsAreBundled(t *testing.T) {
	s := npmScripts{npmTool: tinyNPM(t, map[string]string{"node": fakeNode, "npm": fakeBundlerNPM}), entries: []string{"client=a-client"}}
	path, err := ensureBuilt(t.Context(), s)
	require.NoError(t, err)

	require.Equal(t, []string{path}, cached(t))
	require.FileExists(t, filepath.Join(path, "client.js"))
	other := s
	other.entries = []string{"client=another-client"}
	secondPath, err := ensureBuilt(t.Context(), other)
	require.NoError(t, err)
	require.NotEqual(t, path, secondPath, "other scripts have another place")
}
