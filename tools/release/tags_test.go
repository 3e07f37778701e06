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
	r := cloneOfRepository(t)
	git := func(args ...string) string {
		t.Helper()
		output, err := r.git(nil, args...)
		require.NoError(t, err)
		return output
	}
	dirs := []string{"cmd/omnibucket", "layers/encrypt"}

	// tag fails until the changelog has a section and everything is committed.
	require.ErrorContains(t, tag(r, dirs), "is missing", "the changelog has no entry")
	log := "# Changelog\n\n## [Unreleased]\n\n## [" + r.version[1:] + "] - 2026-12-31\n\n### Added\n- One thing.\n"
	require.NoError(t, os.WriteFile(filepath.Join(r.root, "CHANGELOG.md"), []byte(log), 0o600))
	require.ErrorContains(t, tag(r, dirs), "commit or remove first")
	git("commit", "--quiet", "--all", "--message", "the release")
	head := git("rev-parse", "HEAD")
	require.NoError(t, tag(r, dirs))

	// The tag of the library is the commit that was checked.
	require.Equal(t, head, git("rev-parse", r.version))
	require.Equal(t, head, git("rev-parse", "HEAD"), "no branch moves")
	require.Empty(t, git("status", "--porcelain"))

	// The tag of a module is a commit after it, in which go.mod names the version of the library.
	for _, dir := range dirs {
		moduleTag := dir + "/" + r.version
		require.Equal(t, head, git("rev-parse", moduleTag+"^"))
		goMod := git("show", moduleTag+":"+dir+"/go.mod")
		require.Contains(t, goMod, "\t"+library+" "+r.version+"\n")
		require.NotContains(t, goMod, "replace")
		require.NotContains(t, goMod, "v0.0.0\n")
	}
	changes := git("diff", "--name-only", "HEAD", "layers/encrypt/"+r.version)
	require.Equal(t,
		"cmd/omnibucket/go.mod\ncmd/omnibucket/go.sum\nlayers/encrypt/go.mod\nlayers/encrypt/go.sum", changes)

	// go.sum of the command has the hashes that a module proxy will have.
	sums := git("show", "cmd/omnibucket/"+r.version+":cmd/omnibucket/go.sum")
	sumOfLibrary := sumOf(t, r.root, library, r.version, "")
	require.Contains(t, sums, library+" "+r.version+" "+sumOfLibrary)
	sumOfEncrypt := sumOf(t, r.root, library+"/layers/encrypt", r.version, "layers/encrypt")
	require.Contains(t, sums, library+"/layers/encrypt "+r.version+" "+sumOfEncrypt)

	// A version is tagged only once.
	require.ErrorContains(t, tag(r, dirs), "exists")
}

// cloneOfRepository returns a clone of this repository, in which a release can be tagged.
func cloneOfRepository(t *testing.T) *repository {
	t.Helper()
	root := t.TempDir()
	clone := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "--shared", filepath.Join("..", ".."), root)
	output, err := clone.CombinedOutput()
	require.NoError(t, err, "%s", output)

	r := &repository{root: root, golang: "go", version: checkVersion()}
	for _, args := range [][]string{
		{"config", "user.name", "Release"},
		{"config", "user.email", "release@example.com"},
	} {
		_, err := r.git(nil, args...)
		require.NoError(t, err)
	}
	return r
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
