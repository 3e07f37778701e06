package bodylimit_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/bodylimit"
)

var (
	errTooLarge = errors.New("too large")
	errFailed   = errors.New("nobody knows")
)

// hidden hides the length of a body.
type hidden struct{ io.Reader }

// If a body is longer than its limit, Reader fails with its error TooLarge. Otherwise it reads the whole body.
func TestBodyIsReadUpToItsLimit(t *testing.T) {
	for _, row := range []struct {
		name  string
		body  io.Reader
		limit int64
		more  func() (int64, error)
		want  string
		err   error
	}{
		{"as long as its limit", strings.NewReader("12345"), 5, nil, "12345", nil},
		{"one byte longer", strings.NewReader("12345"), 4, nil, "", errTooLarge},
		{"one byte longer, read byte by byte", iotest.OneByteReader(strings.NewReader("12345")), 4, nil, "1234", errTooLarge},
		{"any length", strings.NewReader("12345"), math.MaxInt64, nil, "12345", nil},
		{"empty, with a limit of 0", strings.NewReader(""), 0, nil, "", nil},
		{"more is allowed", strings.NewReader("12345"), 2, func() (int64, error) { return 3, nil }, "12345", nil},
		{"more is allowed, but not enough", strings.NewReader("12345"), 2, func() (int64, error) { return 2, nil }, "123", errTooLarge},
		{"less is allowed than was said", strings.NewReader("12345"), 2, func() (int64, error) { return -9, nil }, "", errTooLarge},
		{"how much more is not known", strings.NewReader("12345"), 2, func() (int64, error) { return 0, errFailed }, "", errFailed},
		{"a body that breaks off", io.MultiReader(strings.NewReader("1"), iotest.ErrReader(errFailed)), 4, nil, "1", errFailed},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := &bodylimit.Reader{Body: row.body, Left: row.limit, TooLarge: errTooLarge, More: row.more}
			got, err := io.ReadAll(r)
			require.ErrorIs(t, err, row.err)
			require.Equal(t, row.want, string(got))
			if row.err == errTooLarge {
				_, err = r.Read(make([]byte, 10))
				require.ErrorIs(t, err, errTooLarge, "it stays too large")
			}
		})
	}
}

// Reader calls its function More only once, also after Ask.
func TestBodyAsksOnceForMore(t *testing.T) {
	asked := 0
	r := &bodylimit.Reader{
		Body:     strings.NewReader("12345"),
		Left:     1,
		TooLarge: errTooLarge,
		More: func() (int64, error) {
			asked++
			return 4, nil
		},
	}
	require.NoError(t, r.Ask())
	require.NoError(t, iotest.TestReader(r, []byte("12345")))
	require.Equal(t, 1, asked)
}

// If a body in memory fits its limit, New returns the body itself.
func TestBodyInMemoryIsReadItself(t *testing.T) {
	for _, row := range []struct {
		name   string
		body   io.Reader
		length int64
		known  bool
	}{
		{"bytes", bytes.NewReader([]byte("12345")), 5, true},
		{"a text", strings.NewReader("12345"), 5, true},
		{"a buffer", bytes.NewBufferString("12345"), 5, true},
		{"a section of a file", io.NewSectionReader(strings.NewReader("0123456"), 1, 5), 5, true},
		{"a type that wraps one", hidden{strings.NewReader("12345")}, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			length, ok := bodylimit.Length(row.body)
			require.Equal(t, row.known, ok)
			require.Equal(t, row.length, length)
			require.Equal(t, row.known, bodylimit.New(row.body, 5, errTooLarge) == row.body)
			_, err := io.ReadAll(bodylimit.New(row.body, 4, errTooLarge))
			require.ErrorIs(t, err, errTooLarge)
		})
	}
}
