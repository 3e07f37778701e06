package journal

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that is not a journal is refused and not changed. Only the complete lines of a journal are read,
// and lines that are written after them are read, too.
func FuzzJournal(f *testing.F) {
	const newPart = 1 << 30 // a number that the file does not use
	first, err := json.Marshal(Header{Format: format, Upload: "u", WriteID: "w", PartSize: 1})
	require.NoError(f, err)
	for _, text := range []string{
		"", "{", "hello\n", string(first), string(first) + "\n",
		string(first) + "\n" + `{"Part":{"Number":1,"Tag":"t","Size":5,"CRC32C":7}}` + "\n",
		string(first) + "\n" + `{"Part":{"Number":1}}` + "\n" + `{"Completing":true}` + "\n" + `{"Part":`,
		magic + strings.Repeat("9", 2*lineBytes), magic + "2}", magic + "2",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		j, err := Open(path)
		if err != nil {
			require.True(t, errors.Is(err, ErrNotJournal) || errors.Is(err, ErrLater), "%v", err)
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, text, string(data))
			return
		}
		if !j.Begun() {
			require.Empty(t, j.parts)
			require.NoError(t, j.Start(Header{Upload: "u", WriteID: "w", PartSize: 1}))
		}

		_, err = Open(path)
		require.ErrorIs(t, err, ErrInUse)
		parts := len(j.parts)
		delete(j.parts, newPart)
		require.NoError(t, j.RecordPart(Part{Number: newPart, CRC32C: 3}))
		j.Close()

		reopened, err := Open(path)
		require.NoError(t, err)
		defer reopened.Close()
		require.Equal(t, j.header, reopened.header)
		require.Contains(t, reopened.parts, newPart)
		require.LessOrEqual(t, parts, len(reopened.parts))

		require.NoError(t, reopened.Forget())
		require.NoFileExists(t, path)
	})
}
