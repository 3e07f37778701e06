package agents

import (
	"bufio"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// isText accepts UTF-8 with the control characters that occur in texts, and refuses all else as binary.
func TestIsText(t *testing.T) {
	tests := []struct {
		name string
		data string
		want bool
	}{
		{name: "nothing", data: "", want: true},
		{name: "spaces", data: "ä\t\r\n", want: true},
		{name: "a color of terminals", data: "\x1b[31mred", want: true},
		{name: "an invisible character", data: "\u202e", want: true},
		{name: "a zero byte", data: "a\x00b", want: false},
		{name: "no UTF-8", data: "\xff", want: false},
		{name: "a program", data: "\x7fELF", want: false},
		{name: "a gzip file", data: "\x1f\x8b", want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, isText([]byte(tt.data)))
		})
	}
}

// A client that reads on at each nextOffset gets the whole text, whatever length it asks for.
func TestReadContinues(t *testing.T) {
	text := strings.Repeat("aä€😀", 50) // characters of 1 to 4 bytes
	const maxLength = 39
	attrs := &storage.Attrs{Size: int64(len(text))}
	for length := int64(minRead); length <= maxLength; length++ {
		// Read the text in pieces of this length. A piece may end within a character.
		var got strings.Builder
		args := readIn{Offset: 0, Length: length}
		for {
			end := min(args.Offset+length, attrs.Size)
			output := args.result(attrs, []byte(text[args.Offset:end]))
			require.False(t, output.Binary)
			got.WriteString(output.Text)

			isLast := output.NextOffset == 0
			if isLast {
				break
			}
			require.Greater(t, output.NextOffset, args.Offset)
			args.Offset = output.NextOffset
		}
		require.Equal(t, text, got.String(), "length %d", length)
	}
}

// readLine reports a line that is too long, even for the buffer, and continues with the line after
// it.
func TestLinesTooLong(t *testing.T) {
	const (
		maxLine    = 20
		bufferSize = 16
	)
	text := "one\n" + strings.Repeat("x", 100) + "\ntwo\n" + strings.Repeat("y", 50)
	r := bufio.NewReaderSize(strings.NewReader(text), bufferSize)

	line, err := readLine(r, maxLine)
	require.NoError(t, err)
	require.Equal(t, "one\n", string(line))
	// The error comes once, and the next line can be read.
	_, err = readLine(r, maxLine)
	require.ErrorIs(t, err, errLong)
	line, err = readLine(r, maxLine)
	require.NoError(t, err)
	require.Equal(t, "two\n", string(line))
	// The last line is also too long, and has no line end.
	_, err = readLine(r, maxLine)
	require.ErrorIs(t, err, errLong)
	_, err = readLine(r, maxLine)
	require.Error(t, err, "the end")
}

// fittingLength returns how many bytes of a text fit into a number of bytes as JSON. It does not
// split characters.
func TestTextIsBoundedInJSON(t *testing.T) {
	const (
		maxJSON = 600
		// If the JSON had fewer bytes, another character would fit.
		minJSON       = maxJSON - 10
		count         = 1000
		longestEscape = 6 // as in \u003c
	)
	for _, char := range []string{"a", "ä", "😀", "<", "\n", "\"", "\\", "\x1b", "\u2028"} {
		t.Run(strconv.Quote(char), func(t *testing.T) {
			text := strings.Repeat(char, count)
			n := fittingLength([]byte(text), maxJSON)

			data, err := json.Marshal(text[:n])
			require.NoError(t, err)
			require.LessOrEqual(t, len(data), maxJSON+len(`""`)) // Marshal adds the quotes
			require.Greater(t, len(data), minJSON)
			require.Zero(t, n%len(char), "a whole number of characters")

			// With enough bytes, all of the text fits.
			require.Equal(t, len(text), fittingLength([]byte(text), count*longestEscape))
		})
	}
}
