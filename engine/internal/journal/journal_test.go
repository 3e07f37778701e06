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

// FuzzJournal: a file that is not a journal is refused and not changed; of a
// journal only whole lines are believed, and lines written after them are read.
func FuzzJournal(f *testing.F) {
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
		delete(j.parts, 1<<30)
		require.NoError(t, j.RecordPart(Part{Number: 1 << 30, CRC32C: 3}))
		j.Close()

		reopened, err := Open(path)
		require.NoError(t, err)
		defer reopened.Close()
		require.Equal(t, j.header, reopened.header)
		require.Contains(t, reopened.parts, 1<<30)
		require.LessOrEqual(t, parts, len(reopened.parts))

		require.NoError(t, reopened.Forget())
		require.NoFileExists(t, path)
	})
}
