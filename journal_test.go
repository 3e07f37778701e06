package storage

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzJournal: what is no journal is refused and stays as it is; of what is one,
// only whole lines are believed, and what is written behind them is read again.
func FuzzJournal(f *testing.F) {
	first, err := json.Marshal(begun{Format: journalFormat, Upload: "u", WriteID: "w", PartSize: 1})
	require.NoError(f, err)
	for _, text := range []string{
		"", "{", "hello\n", string(first), string(first) + "\n",
		string(first) + "\n" + `{"Part":{"Number":1,"Tag":"t","Size":5,"CRC32C":7}}` + "\n",
		string(first) + "\n" + `{"Part":{"Number":1}}` + "\n" + `{"Completing":true}` + "\n" + `{"Part":`,
		journalMagic + strings.Repeat("9", 2*journalLine),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		j, err := openJournal(path)
		if err != nil {
			require.ErrorIs(t, err, errNoJournal)
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, text, string(kept))
			return
		}
		if j.Upload == "" {
			require.Empty(t, j.parts)
			require.NoError(t, j.start(begun{Upload: "u", WriteID: "w", PartSize: 1}))
		}
		_, err = openJournal(path)
		require.ErrorIs(t, err, errJournalInUse)
		parts, crc := len(j.parts), uint32(3)
		delete(j.parts, 1<<30)
		require.NoError(t, j.write(journalEntry{Part: &Part{Number: 1 << 30, CRC32C: &crc}}))
		j.close()

		again, err := openJournal(path)
		require.NoError(t, err)
		defer again.close()
		require.Equal(t, j.begun, again.begun)
		require.Contains(t, again.parts, 1<<30)
		require.LessOrEqual(t, parts, len(again.parts))
		require.NoError(t, again.forget())
		require.NoFileExists(t, path)
	})
}
