package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/transfer"
)

func TestProgressIsALineOfATerminal(t *testing.T) {
	var errs, out bytes.Buffer
	s := newProgressLine(&errs, &out)
	require.False(t, s.terminal, "a buffer is not a terminal")
	s.progress(transfer.Progress{Files: 1, TotalFiles: 2, Bytes: 3 << 19, TotalBytes: 3 << 20, Rate: 2 << 20, Failed: 1, Current: "é\x1b\n" + strings.Repeat("日", 100)})
	line, cleared := strings.CutPrefix(errs.String(), "\r\x1b[K")
	require.True(t, cleared)
	require.True(t, strings.HasPrefix(line, "1/2+ files, 1.5/3.0+ MiB, 2.0 MiB/s, 1 failed  é??日"), line)
	require.Equal(t, 79, utf8.RuneCountInString(line))

	errs.Reset()
	s.print("transferred a\n")
	require.Equal(t, "\r\x1b[K", errs.String(), "the line is cleared")
	require.Equal(t, "transferred a\n", out.String())
	errs.Reset()
	s.clear()
	require.Empty(t, errs.String(), "the line was already cleared")
	s.progress(transfer.Progress{Listed: true})
	require.Equal(t, "\r\x1b[K0/0 files, 0.0/0.0 MiB, 0.0 MiB/s  ", errs.String())
}
