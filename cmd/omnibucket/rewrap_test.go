package main

import (
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
)

// All objects stay readable if a user puts a new identity first, runs rewrap, and removes the old identity.
func TestRewrapRotatesATree(t *testing.T) {
	file := filepath.ToSlash(filepath.Join(t.TempDir(), "identity.txt"))
	writeIdentities := func(all ...*age.X25519Identity) {
		var text strings.Builder
		for _, identity := range all {
			text.WriteString(identity.String() + "\n")
		}
		writeFiles(t, filepath.Dir(file), map[string]string{filepath.Base(file): text.String()})
	}
	older, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	newer, err := age.GenerateX25519Identity()
	require.NoError(t, err)

	bucket := newDirectoryAddress(t) + "?create=true"
	s, _ := newConfiguredShell(t, "locations:\n  plain: "+bucket+"\n  box:\n    address: "+bucket+
		"\n    layers: [{encrypt: {identity_file: "+file+", allow_plain: true}}]\n"+
		"  strict:\n    address: "+bucket+"\n    layers: [{encrypt: {identity_file: "+file+"}}]\n")

	// Three objects are encrypted for the older identity, and in/c is not encrypted.
	writeIdentities(older)
	s.put("box:in/a", "aa")
	s.put("box:in/b", "bbb")
	s.put("plain:in/c", "plain")
	s.put("box:other", "o")

	// With the newer identity first, --former selects in/c and the objects of the older identity.
	writeIdentities(newer, older)
	former := filepath.Join(t.TempDir(), "former.txt")
	writeFiles(t, filepath.Dir(former), map[string]string{"former.txt": older.String()})
	require.Equal(t, "rewrapped in/a\nrewrapped in/b\nrewrapped in/c\nrewrapped other\n",
		s.run("rewrap", "-r", "--former", former, "--dry-run", "box:"))

	// A plain object is an error without allow_plain.
	_, stderr := s.requireExit(exitFailure, "rewrap", "-r", "strict:in")
	require.Contains(t, stderr, "not encrypted")
	stdout, _ := s.requireExit(exitOK, "rewrap", "-r", "--dry-run", "box:in")
	require.Equal(t, "rewrapped in/a\nrewrapped in/b\nrewrapped in/c\n", stdout)
	require.Equal(t, "plain", s.run("cat", "plain:in/c"))
	require.Equal(t, "rewrapped other\n", s.run("rewrap", "-v", "box:other"))
	// The command that failed has rewrapped in/a and in/b.
	require.Equal(t, "rewrapped in/c\n", s.run("rewrap", "-r", "--former", former, "--dry-run", "box:"))
	require.Equal(t, "1 rewrapped, 3 of other keys, 0 failed\n", s.run("rewrap", "-r", "--former", former, "box:"))
	require.Empty(t, s.run("rewrap", "-r", "--former", former, "--dry-run", "box:"))

	_, stderr = s.requireExit(exitUsage, "rewrap", "--former", former, "box:other")
	require.Contains(t, stderr, "must be used with -r")

	// Without --former, rewrap does not leave out objects of the newer identity.
	require.Equal(t, "3 rewrapped, 0 of other keys, 0 failed\n", s.run("rewrap", "-r", "box:in"))
	require.NotContains(t, s.run("cat", "plain:in/c"), "plain")
	require.Contains(t, s.run("rewrap", "-r", "--json", "box:in"), `"rewrapped":3`)

	// The newer identity alone decrypts all objects.
	writeIdentities(newer)
	require.Equal(t, "aabbbplaino", s.run("cat", "strict:in/a", "strict:in/b", "strict:in/c", "strict:other"))

	_, stderr = s.requireExit(exitUsage, "rewrap", "plain:in/a")
	require.Contains(t, stderr, "must have the layer encrypt")
	_, stderr = s.requireExit(exitUsage, "rewrap", "box:in/")
	require.Contains(t, stderr, "use -r to rewrap")
	s.requireExit(exitNotFound, "rewrap", "box:none")
}
