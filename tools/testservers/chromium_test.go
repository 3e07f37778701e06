package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeModuleNPM installs a fake module.
const fakeModuleNPM = `#!/bin/sh
test -f package-lock.json && mkdir -p node_modules/driver && echo installed > node_modules/driver/index.mjs
`

func tinyModule(t *testing.T, programs map[string]string) npmModule {
	t.Helper()
	n := tinyNPM(t, programs)
	n.entry = "driver"
	return npmModule{npmTool: n, node: 20}
}

// If a module of npm is in the cache, ensureBuilt does not install it again.
func TestModuleIsKeptAsInstalled(t *testing.T) {
	m := tinyModule(t, map[string]string{"node": fakeNode, "npm": fakeModuleNPM})
	path, err := ensureBuilt(t.Context(), m)
	require.NoError(t, err)

	require.Equal(t, []string{path}, cached(t))
	require.FileExists(t, filepath.Join(path, "index.mjs"))
	require.NoError(t, os.Remove(filepath.Join(os.Getenv("PATH"), "npm")))
	secondPath, err := ensureBuilt(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, path, secondPath, "an existing module is not installed again")
}

// If Node.js is too old for a module, ensureBuilt fails and names the version that it needs.
func TestModuleNeedsItsNodeVersion(t *testing.T) {
	m := tinyModule(t, map[string]string{"node": "#!/bin/sh\necho v19.9.0\n", "npm": fakeModuleNPM})
	_, err := ensureBuilt(t.Context(), m)
	require.ErrorContains(t, err, `tiny needs Node.js 20 or later, but node is "v19.9.0"`)
	require.Empty(t, cached(t))
}

// lookChromium returns the browser that a variable of the environment names, or one in PATH. If there is none, the
// error asks for one.
func TestChromiumIsFoundOrAskedFor(t *testing.T) {
	emptyDir := t.TempDir()
	bin := t.TempDir()
	installed := filepath.Join(bin, "google-chrome")
	require.NoError(t, os.WriteFile(installed, []byte("#!/bin/sh\n"), 0o700))

	// PATH has no browser, and no variable names one.
	t.Setenv("PATH", emptyDir)
	_, err := lookChromium("")
	require.ErrorContains(t, err, "chromium is missing: install")

	// The variable names a browser outside PATH.
	path, err := lookChromium(installed)
	require.NoError(t, err)
	require.Equal(t, installed, path)

	// The browser of the variable is missing, so that no other is used.
	_, err = lookChromium(filepath.Join(emptyDir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)

	// PATH has a browser.
	t.Setenv("PATH", bin)
	path, err = lookChromium("")
	require.NoError(t, err)
	require.Equal(t, installed, path)
}

// If a server has a function find, start builds its tool and sets its variables, and starts no process.
func TestStartOnlyFindsPrograms(t *testing.T) {
	var f fleet
	s := fakeServers(t, "ends")[0]
	s.find = func(_ context.Context, path string) (launch, error) {
		require.FileExists(t, path, "its tool is built")
		return launch{url: "/usr/bin/it", variables: map[string]string{"MODULE": path}}, nil
	}
	require.NoError(t, f.start(t.Context(), []server{s}))
	require.Empty(t, f.running)
	require.Contains(t, f.variables, "OMNIBUCKET_TEST_FAKE=/usr/bin/it")
}
