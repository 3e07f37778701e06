package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The listing has all that other modules can use, and nothing unexported.
func TestListingHasWhatOtherModulesCanUse(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.go"), []byte(`package p

const (
	First  Kind = iota + 1 // one
	Second
	hidden
)

var Default, other = 1, 2

type Kind int

func (k Kind) String() string { return "" }

type Options struct {
	Name, Title string
	Kind
	secret      int
}

type Reader interface {
	Read(p []byte) (int, error)
	private()
}

type Alias = Options

func New[T any](o Options,
	more ...T) (*Options, error) {
	return nil, nil
}

func hiddenToo() {}
`), 0o600))
	lines, err := (&pkg{Dir: dir, ImportPath: "example.com/p", Name: "p", GoFiles: []string{"p.go"}}).api()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"example.com/p: const First Kind = iota + 1",
		"example.com/p: const Second",
		"example.com/p: var Default",
		"example.com/p: type Kind int",
		"example.com/p: func (k Kind) String() string",
		"example.com/p: type Options struct {}",
		"example.com/p: type Options, Name string",
		"example.com/p: type Options, Title string",
		"example.com/p: type Options, embedded Kind",
		"example.com/p: type Reader has unexported methods",
		"example.com/p: type Reader interface {}",
		"example.com/p: type Reader, Read func(p []byte) (int, error)",
		"example.com/p: type Alias = Options",
		"example.com/p: func New[T any](o Options, more ...T) (*Options, error)",
	}, lines)
}

// isPublic returns false for packages in internal, in examples, and of commands.
func TestIsPublic(t *testing.T) {
	for path, want := range map[string]bool{
		"example.com/storage":              true,
		"example.com/storage/serve":        true,
		"example.com/storage/internal/a":   false,
		"example.com/storage/examples/zip": false,
		"example.com/storage/cmd/app/part": false,
	} {
		require.Equal(t, want, (&pkg{ImportPath: path, Name: "p"}).isPublic(), path)
	}
	require.False(t, (&pkg{ImportPath: "example.com/storage/s3server/cmd/s3server", Name: "main"}).isPublic())
}

// difference returns the lines that were removed and those that were added.
func TestDifference(t *testing.T) {
	removed, added := difference([]string{"a", "b", "c"}, []string{"a", "c", "d"})
	require.Equal(t, []string{"b"}, removed)
	require.Equal(t, []string{"d"}, added)
}
