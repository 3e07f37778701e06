package agents

import (
	"bufio"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestIsText(t *testing.T) {
	for text, want := range map[string]bool{
		"":            true,
		"ä\t\r\n":     true,
		"\x1b[31mred": true,
		"a\x00b":      false,
		"\xff":        false,
		"\x7fELF":     false,
		"\x1f\x8b":    false,
		"\u202e":      true,
	} {
		require.Equal(t, want, isText([]byte(text)), "%q", text)
	}
}

// A client that continues at nextOffset gets the whole text, whatever lengths it asks for.
func TestReadContinues(t *testing.T) {
	text := strings.Repeat("aä€😀", 50)
	for length := int64(minRead); length < 40; length++ {
		var all strings.Builder
		for offset := int64(0); ; {
			data := []byte(text)[offset:min(offset+length, int64(len(text)))]
			output := readIn{Offset: offset, Length: length}.result(&storage.Attrs{Size: int64(len(text))}, data)
			require.False(t, output.Binary)
			all.WriteString(output.Text)
			if output.NextOffset == 0 {
				break
			}
			require.Greater(t, output.NextOffset, offset)
			offset = output.NextOffset
		}
		require.Equal(t, text, all.String())
	}
}

// Long lines are skipped.
func TestLinesTooLong(t *testing.T) {
	r := bufio.NewReaderSize(strings.NewReader("one\n"+strings.Repeat("x", 100)+"\ntwo\n"+strings.Repeat("y", 50)), 16)
	for _, want := range []string{"one\n", "", "two\n", "", "end"} {
		line, err := readLine(r, 20)
		switch want {
		case "":
			require.ErrorIs(t, err, errLong)
		case "end":
			require.Error(t, err)
		default:
			require.NoError(t, err)
			require.Equal(t, want, string(line))
		}
	}
}

func TestTextIsBoundedInJSON(t *testing.T) {
	for _, part := range []string{"a", "ä", "😀", "<", "\n", "\"", "\\", "\x1b", "\u2028"} {
		text := strings.Repeat(part, 1000)
		n := fittingLength([]byte(text), 600)

		data, err := json.Marshal(text[:n])
		require.NoError(t, err)
		require.LessOrEqual(t, len(data), 602, part)
		require.Greater(t, len(data), 590, part)
		require.Zero(t, n%len(part))
		require.Equal(t, len(text), fittingLength([]byte(text), 6000))
	}
}
