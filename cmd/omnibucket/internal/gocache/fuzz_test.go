package gocache

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
)

// Whatever the server reads from standard input, it ends without a panic and leaves no temporary
// file.
func FuzzServe(f *testing.F) {
	id := strings.Repeat("A", 43) + "="
	put := `{"ID":1,"Command":"put","ActionID":"` + id + `","OutputID":"` + id + `","BodySize":4}` + "\n\n\"dGV4dA==\"\n"
	get := `{"ID":2,"Command":"get","ActionID":"` + id + `"}` + "\n"
	f.Add([]byte(put + get + `{"ID":3,"Command":"close"}` + "\n"))
	f.Add([]byte(get + put))
	f.Add([]byte(put[:len(put)-4]))
	f.Fuzz(func(t *testing.T, input []byte) {
		dir := t.TempDir()
		d, err := openDisk(dir)
		require.NoError(t, err)
		s := newServer(t.Context(), d, memstore.New(), defaultSettings(), func(error) {})
		_ = s.serve(bytes.NewReader(input), io.Discard)
		require.Empty(t, temporaryFiles(t, dir))
	})
}

// If parseEntry accepts an entry, the method line writes the entry, and parseEntry reads it again
// unchanged.
func FuzzEntry(f *testing.F) {
	actionID := id(action("a"))
	f.Add(entry{action: actionID, size: 4}.line())
	f.Add("gocache1 \n")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := parseEntry(text, actionID)
		if err != nil {
			return
		}
		again, err := parseEntry(parsed.line(), actionID)
		require.NoError(t, err)
		require.Equal(t, parsed, again)
	})
}
