package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// These tests do not use the network: a fake npm installs a fake esbuild, which
// records its arguments.
const (
	fakeNode = "#!/bin/sh\necho v20.1.0\n"
	fakeNPM  = `#!/bin/sh
test -f package-lock.json && mkdir -p node_modules/.bin || exit 1
printf '#!/bin/sh\nfor a; do case $a in --outfile=*) echo "$@" > "${a#--outfile=}";; esac; done\n' > node_modules/.bin/esbuild
chmod +x node_modules/.bin/esbuild
`
)

// tinyNPM returns a package, on a machine that has only these programs and a shell's.
func tinyNPM(t *testing.T, programs map[string]string) npmTool {
	t.Helper()
	t.Setenv("OMNIBUCKET_CACHE", t.TempDir())
	bin := t.TempDir()
	for name, script := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700))
	}
	for _, name := range []string{"chmod", "mkdir"} {
		require.NoError(t, os.Symlink("/bin/"+name, filepath.Join(bin, name)))
	}
	t.Setenv("PATH", bin)
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("tiny", 0o700))
	for _, name := range []string{"package.json", "package-lock.json"} {
		require.NoError(t, os.WriteFile(filepath.Join("tiny", name), []byte("{}"), 0o600))
	}
	return npmTool{pkg: "tiny", entry: "tiny/main.js", external: []string{"heavy"}}
}

// ensureBuilt bundles an npm package to one file and removes the installed packages.
func TestNPMPackageBecomesOneFile(t *testing.T) {
	n := tinyNPM(t, map[string]string{"node": fakeNode, "npm": fakeNPM})
	path, err := ensureBuilt(t.Context(), n)
	require.NoError(t, err)
	require.Equal(t, []string{path}, cached(t), "the installed packages were removed")

	// The fake bundler has written its arguments into the file. They have the entry of the package, and the name of
	// the package that is not bundled.
	arguments, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(arguments), "node_modules/tiny/main.js")
	require.Contains(t, string(arguments), "--external:heavy")

	// Node runs the file.
	command, err := n.command(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, []string{"node", path}, command)
}

// If the text of an edit is in the file exactly once, apply replaces it. Otherwise apply fails.
func TestEditApply(t *testing.T) {
	tests := []struct {
		name, content string
		want          string // new content of the file; "" if apply fails
	}{
		{name: "the text is there", content: "a = 10;", want: "a = 20;"},
		{name: "the text is missing", content: "a = 11;", want: ""},
		{name: "the text is there twice", content: "a = 10; a = 10;", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "main.js")
			require.NoError(t, os.WriteFile(path, []byte(tt.content), 0o600))

			err := edit{file: "main.js", old: "a = 10;", new: "a = 20;"}.apply(dir)
			if tt.want == "" {
				require.ErrorContains(t, err, "main.js has")
				return
			}
			require.NoError(t, err)

			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, tt.want, string(content))
		})
	}
}

// If an npm package is in the cache, ensureBuilt works without npm. If its lock file changes, ensureBuilt needs
// npm again.
func TestNPMIsNotNeededOnceBuilt(t *testing.T) {
	n := tinyNPM(t, map[string]string{"node": fakeNode, "npm": fakeNPM})
	built, err := ensureBuilt(t.Context(), n)
	require.NoError(t, err)
	npm := filepath.Join(os.Getenv("PATH"), "npm")
	require.NoError(t, os.Remove(npm))

	path, err := ensureBuilt(t.Context(), n)
	require.NoError(t, err)
	require.Equal(t, built, path)

	require.NoError(t, os.WriteFile(filepath.Join("tiny", "package-lock.json"), []byte("{ }"), 0o600))
	_, err = ensureBuilt(t.Context(), n)
	require.ErrorContains(t, err, "npm, which comes with Node.js, is missing", "another lock file is another build")
}

// If Node.js or npm is missing, too old or fails, ensureBuilt fails with an error that names the problem.
func TestNPMWithoutNode(t *testing.T) {
	const (
		oldNode    = "#!/bin/sh\necho v16.20.2\n"
		failingNPM = "#!/bin/sh\nexit 4\n"
		idleNPM    = "#!/bin/sh\nexit 0\n" // installs nothing
	)
	tests := []struct {
		name     string
		programs map[string]string // scripts by their names
		want     string
	}{
		{
			name:     "no node",
			programs: map[string]string{"npm": fakeNPM},
			want:     "tiny needs Node.js 18 or later, but node does not run",
		},
		{
			name:     "an older node",
			programs: map[string]string{"node": oldNode, "npm": fakeNPM},
			want:     `tiny needs Node.js 18 or later, but node is "v16.20.2"`,
		},
		{
			name:     "no npm",
			programs: map[string]string{"node": fakeNode},
			want:     "npm, which comes with Node.js, is missing",
		},
		{
			name:     "npm that fails",
			programs: map[string]string{"node": fakeNode, "npm": failingNPM},
			want:     "npm ci: exit status 4",
		},
		{
			name:     "no bundler",
			programs: map[string]string{"node": fakeNode, "npm": idleNPM},
			want:     "esbuild: ",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := tinyNPM(t, tt.programs)
			_, err := ensureBuilt(t.Context(), n)
			require.ErrorContains(t, err, tt.want)
			require.Empty(t, cached(t))
		})
	}
}

// If ctx is canceled, ensureBuilt of an npm package leaves no file in the cache.
func TestNPMInstallInterrupted(t *testing.T) {
	n := tinyNPM(t, map[string]string{"node": fakeNode, "npm": fakeNPM})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := ensureBuilt(ctx, n)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, cached(t))
}

// No lock file contains the host of a registry, because everybody would then use that host.
func TestNPMLockFileNamesNoRegistry(t *testing.T) {
	locks, err := filepath.Glob("*/package-lock.json")
	require.NoError(t, err)
	require.Len(t, locks, 3)
	for _, path := range locks {
		lock, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotContains(t, string(lock), `"resolved"`)
		require.Contains(t, string(lock), `"integrity"`)
	}
}
