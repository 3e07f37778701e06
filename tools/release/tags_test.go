package main

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// tag needs a section of the changelog and a clean working tree. It tags the library and two modules in a clone,
// without moving a branch.
func TestCheckVersionOfATag(t *testing.T) {
	root := t.TempDir()
	r := &repository{root: root, golang: "go", version: checkVersion()}
	run := func(args ...string) string {
		t.Helper()
		text, err := r.git(nil, args...)
		require.NoError(t, err)
		return text
	}
	clone, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "--shared", filepath.Join("..", ".."), root).CombinedOutput()
	require.NoError(t, err, "%s", clone)
	run("config", "user.name", "Release")
	run("config", "user.email", "release@example.com")

	dirs := []string{"cmd/omnibucket", "layers/encrypt"}
	require.ErrorContains(t, tag(r, dirs), "is missing", "the changelog has no entry")

	log := "# Changelog\n\n## [Unreleased]\n\n## [" + r.version[1:] + "] - 2026-12-31\n\n### Added\n- One thing.\n"
	require.NoError(t, os.WriteFile(filepath.Join(root, "CHANGELOG.md"), []byte(log), 0o600))
	require.ErrorContains(t, tag(r, dirs), "commit or remove first")
	run("commit", "--quiet", "--all", "--message", "the release")
	head := run("rev-parse", "HEAD")
	require.NoError(t, tag(r, dirs))

	require.Equal(t, head, run("rev-parse", r.version), "the library is the commit that was checked")
	require.Equal(t, head, run("rev-parse", "HEAD"), "no branch moves")
	require.Empty(t, run("status", "--porcelain"))

	for _, dir := range dirs {
		name := dir + "/" + r.version
		require.Equal(t, head, run("rev-parse", name+"^"))
		module := run("show", name+":"+dir+"/go.mod")
		require.Contains(t, module, "\t"+library+" "+r.version+"\n")
		require.NotContains(t, module, "replace")
		require.NotContains(t, module, "v0.0.0\n")
	}

	sums := run("show", "cmd/omnibucket/"+r.version+":cmd/omnibucket/go.sum")
	require.Contains(t, sums, library+" "+r.version+" "+sumOf(t, root, library, r.version, ""))
	require.Contains(t, sums, library+"/layers/encrypt "+r.version+" "+sumOf(t, root, library+"/layers/encrypt", r.version, "layers/encrypt"))
	require.Equal(t, "cmd/omnibucket/go.mod\ncmd/omnibucket/go.sum\nlayers/encrypt/go.mod\nlayers/encrypt/go.sum", run("diff", "--name-only", "HEAD", "layers/encrypt/"+r.version))
	require.ErrorContains(t, tag(r, dirs), "exists")
}

// sumOf returns what a module proxy has for a tag: the hash of the archive that it makes of the repository.
func sumOf(t *testing.T, root, name, version, dir string) string {
	t.Helper()
	archive, err := os.Create(filepath.Join(t.TempDir(), "module.zip"))
	require.NoError(t, err)
	require.NoError(t, zip.CreateFromVCS(archive, module.Version{Path: name, Version: version}, root, path.Join(dir, version), dir))
	require.NoError(t, archive.Close())
	sum, err := dirhash.HashZip(archive.Name(), dirhash.Hash1)
	require.NoError(t, err)
	return sum
}
