package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
)

// newRewrappingShell returns a shell with three locations of one bucket. "box" encrypts for the
// first identity in a file, decrypts with any identity in this file, and also reads objects that
// are not encrypted. "strict" is like "box", but refuses such objects. "plain" does not encrypt.
func newRewrappingShell(t *testing.T) (s *shell, identityFile string) {
	t.Helper()
	identityFile = filepath.ToSlash(filepath.Join(t.TempDir(), "identities.txt"))
	bucket := newDirectoryAddress(t) + "?create=true"
	s, _ = newConfiguredShell(t, `locations:
  plain: `+bucket+`
  box:
    address: `+bucket+`
    layers: [{encrypt: {identity_file: `+identityFile+`, allow_plain: true}}]
  strict:
    address: `+bucket+`
    layers: [{encrypt: {identity_file: `+identityFile+`}}]
`)
	return s, identityFile
}

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return identity
}

// writeIdentities replaces the content of a file by these identities.
func writeIdentities(t *testing.T, file string, identities ...*age.X25519Identity) {
	t.Helper()
	var text strings.Builder
	for _, identity := range identities {
		text.WriteString(identity.String() + "\n")
	}
	require.NoError(t, os.WriteFile(file, []byte(text.String()), 0o600))
}

// putTreeToRewrap encrypts in/a, in/b and other for an older identity, and stores in/c without
// encryption. Then it writes a newer identity before the older one into identityFile. olderFile has
// only the older identity.
func putTreeToRewrap(t *testing.T, s *shell, identityFile string) (newer *age.X25519Identity, olderFile string) {
	t.Helper()
	older := newIdentity(t)
	newer = newIdentity(t)
	writeIdentities(t, identityFile, older)
	s.put("box:in/a", "aa")
	s.put("box:in/b", "bbb")
	s.put("box:other", "o")
	s.put("plain:in/c", "plain")

	writeIdentities(t, identityFile, newer, older)
	olderFile = filepath.Join(t.TempDir(), "older.txt")
	writeIdentities(t, olderFile, older)
	return newer, olderFile
}

// After rewrap, the new identity alone decrypts all objects. So the user can remove the old
// identity.
func TestRewrapRotatesATree(t *testing.T) {
	s, identityFile := newRewrappingShell(t)
	newer, _ := putTreeToRewrap(t, s, identityFile)

	require.Equal(t, "rewrapped other\n", s.run("rewrap", "-v", "box:other"))
	require.Equal(t, "3 rewrapped, 0 of other keys, 0 failed\n", s.run("rewrap", "-r", "box:in"))

	// The object in/c was not encrypted before.
	require.NotContains(t, s.run("cat", "plain:in/c"), "plain")

	// Without the older identity, all four objects can be read.
	writeIdentities(t, identityFile, newer)
	require.Equal(t, "aabbbplaino", s.run("cat", "strict:in/a", "strict:in/b", "strict:in/c", "strict:other"))
}

// With --former, rewrap changes only objects that are not encrypted, or that a former identity can decrypt.
func TestRewrapObjectsOfAFormerIdentity(t *testing.T) {
	s, identityFile := newRewrappingShell(t)
	// The objects in/a, in/b and other are encrypted for the former identity, and in/c is not encrypted.
	_, former := putTreeToRewrap(t, s, identityFile)

	// At first, rewrap would change all objects.
	require.Equal(t, "rewrapped in/a\nrewrapped in/b\nrewrapped in/c\nrewrapped other\n",
		s.run("rewrap", "-r", "--former", former, "--dry-run", "box:"))

	// The former identity cannot decrypt an object that was rewrapped.
	s.run("rewrap", "box:other")
	require.Equal(t, "rewrapped in/a\nrewrapped in/b\nrewrapped in/c\n",
		s.run("rewrap", "-r", "--former", former, "--dry-run", "box:"))

	// After the other objects are rewrapped too, nothing is left to do.
	require.Equal(t, "3 rewrapped, 1 of other keys, 0 failed\n", s.run("rewrap", "-r", "--former", former, "box:"))
	require.Empty(t, s.run("rewrap", "-r", "--former", former, "--dry-run", "box:"))

	// Without --former, rewrap also changes objects that it has already rewrapped.
	require.Contains(t, s.run("rewrap", "-r", "--json", "box:in"), `"rewrapped":3`)
}

// rewrap encrypts an object that is not encrypted only if the location has allow_plain. Otherwise
// it rewraps the other objects and fails.
func TestRewrapOfAPlainObject(t *testing.T) {
	s, identityFile := newRewrappingShell(t)
	_, former := putTreeToRewrap(t, s, identityFile)

	_, stderr := s.requireExit(exitFailure, "rewrap", "-r", "strict:in")
	require.Contains(t, stderr, "not encrypted")
	require.Equal(t, "plain", s.run("cat", "plain:in/c"))
	require.Equal(t, "rewrapped in/c\nrewrapped other\n",
		s.run("rewrap", "-r", "--former", former, "--dry-run", "box:"), "in/a and in/b were rewrapped")

	stdout, _ := s.requireExit(exitOK, "rewrap", "-r", "--dry-run", "box:in")
	require.Equal(t, "rewrapped in/a\nrewrapped in/b\nrewrapped in/c\n", stdout)
}

// rewrap refuses a location without the layer encrypt, and flags and arguments that do not fit together.
func TestRewrapRefuses(t *testing.T) {
	// The location "box" has the layer encrypt, and "plain" does not. former is the name of a file
	// with an older identity of "box".
	s, identityFile := newRewrappingShell(t)
	_, former := putTreeToRewrap(t, s, identityFile)

	tests := []struct {
		name    string
		args    []string
		wantErr string
	}{
		{name: "location without encryption", args: []string{"plain:in/a"}, wantErr: "must have the layer encrypt"},
		{name: "folder without -r", args: []string{"box:in/"}, wantErr: "use -r to rewrap"},
		{name: "--former without -r", args: []string{"--former", former, "box:other"}, wantErr: "must be used with -r"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr := s.inSubtest(t).requireExit(exitUsage, append([]string{"rewrap"}, tt.args...)...)
			require.Contains(t, stderr, tt.wantErr)
		})
	}

	// rewrap also fails for an object that does not exist.
	s.requireExit(exitNotFound, "rewrap", "box:none")
}
