package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The listing has all that other modules can use, and nothing unexported. What belongs to a type
// follows it.
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
	require.Equal(t, []string{
		"var Default",
		"type Alias = Options",
		"type Kind int",
		"const First Kind = iota + 1",
		"const Second",
		"func (k Kind) String() string",
		"type Options struct {}",
		"type Options, Name string",
		"type Options, Title string",
		"type Options, embedded Kind",
		"func New[T any](o Options, more ...T) (*Options, error)",
		"type Reader has unexported methods",
		"type Reader interface {}",
		"type Reader, Read func(p []byte) (int, error)",
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
	removals, added := difference([]string{"a", "b", "c"}, []string{"a", "c", "d"})
	require.Equal(t, []string{"b"}, removals)
	require.Equal(t, []string{"d"}, added)
}

// The section of the API has a link to each listing, with the first sentence of the package's
// documentation. The other sections stay as they are.
func TestLinksToListings(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "p.go"), []byte(`// Package p opens a [driver.Driver]:
//
//	p.Open()
package p
`), 0o600))
	packages := []*pkg{
		{Dir: dir, ImportPath: "github.com/omnibucket/storage", Name: "storage", GoFiles: []string{"p.go"}},
		{Dir: dir, ImportPath: "github.com/omnibucket/storage/a/p", Name: "p", GoFiles: []string{"p.go"}},
	}

	text, err := withLinks("# Title\n\n## API\n\n- old\n\n## Optional\n\n- kept\n", packages)
	require.NoError(t, err)
	const files = "https://raw.githubusercontent.com/omnibucket/storage/main/docs/api/"
	require.Equal(t, `# Title

## API

- [github.com/omnibucket/storage](`+files+`storage.txt): Package p opens a driver.Driver.
- [github.com/omnibucket/storage/a/p](`+files+`a/p.txt): Package p opens a driver.Driver.

## Optional

- kept
`, text)

	_, err = withLinks("# Title\n", packages)
	require.EqualError(t, err, `llms.txt has no section "## API"`)
}

// The listings in the directory become those of the current packages: that of a package that is gone
// is removed.
func TestWriteListings(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, writeListings(dir, nil, map[string]string{"gone.txt": "a\n", "a/p.txt": "a\n"}))
	old, err := readListings(dir)
	require.NoError(t, err)

	current := map[string]string{"a/p.txt": "b\n", "storage.txt": "c\n"}
	require.NoError(t, writeListings(dir, old, current))
	written, err := readListings(dir)
	require.NoError(t, err)
	require.Equal(t, current, written)
}
