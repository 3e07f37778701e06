package bodyio_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/bodyio"
)

var (
	errTooLarge = errors.New("too large")
	errFailed   = errors.New("nobody knows")
)

// hidden hides the length of a body.
type hidden struct{ io.Reader }

// If a body is longer than its limit, Reader fails with its error TooLarge. Otherwise it reads the whole body.
func TestBodyIsReadUpToItsLimit(t *testing.T) {
	tests := []struct {
		name    string
		body    io.Reader
		limit   int64
		more    func() (int64, error) // returns by how much the limit is raised when it is reached
		want    string
		wantErr error
	}{
		{name: "as long as its limit", body: strings.NewReader("12345"), limit: 5, want: "12345"},
		{name: "one byte longer", body: strings.NewReader("12345"), limit: 4, want: "", wantErr: errTooLarge},
		{
			name:    "one byte longer, read byte by byte",
			body:    iotest.OneByteReader(strings.NewReader("12345")),
			limit:   4,
			want:    "1234",
			wantErr: errTooLarge,
		},
		{name: "any length", body: strings.NewReader("12345"), limit: math.MaxInt64, want: "12345"},
		{name: "empty, with a limit of 0", body: strings.NewReader(""), want: ""},
		{
			name:  "more is allowed",
			body:  strings.NewReader("12345"),
			limit: 2,
			more:  func() (int64, error) { return 3, nil },
			want:  "12345",
		},
		{
			name:    "more is allowed, but not enough",
			body:    strings.NewReader("12345"),
			limit:   2,
			more:    func() (int64, error) { return 2, nil },
			want:    "123",
			wantErr: errTooLarge,
		},
		{
			name:    "less is allowed than was said",
			body:    strings.NewReader("12345"),
			limit:   2,
			more:    func() (int64, error) { return -9, nil },
			want:    "",
			wantErr: errTooLarge,
		},
		{
			name:    "how much more is not known",
			body:    strings.NewReader("12345"),
			limit:   2,
			more:    func() (int64, error) { return 0, errFailed },
			want:    "",
			wantErr: errFailed,
		},
		{
			name:    "a body that breaks off",
			body:    io.MultiReader(strings.NewReader("1"), iotest.ErrReader(errFailed)),
			limit:   4,
			want:    "1",
			wantErr: errFailed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &bodyio.LimitedReader{Body: tt.body, Left: tt.limit, TooLarge: errTooLarge, More: tt.more}
			got, err := io.ReadAll(r)
			require.ErrorIs(t, err, tt.wantErr)
			require.Equal(t, tt.want, string(got))

			// A later Read fails in the same way.
			if tt.wantErr == errTooLarge {
				_, err = r.Read(make([]byte, 10))
				require.ErrorIs(t, err, errTooLarge)
			}
		})
	}
}

// A LimitedReader calls More for a higher limit, but only once. If Ask has called it, a later Read does not.
func TestBodyAsksOnceForMore(t *testing.T) {
	const body = "12345"
	const limit = 1
	calls := 0
	r := &bodyio.LimitedReader{
		Body:     strings.NewReader(body),
		Left:     limit,
		TooLarge: errTooLarge,
		More: func() (int64, error) {
			calls++
			return int64(len(body) - limit), nil
		},
	}
	require.NoError(t, r.RaiseLimit())
	require.NoError(t, iotest.TestReader(r, []byte(body)))
	require.Equal(t, 1, calls)
}

// If the length of a body is known and within the limit, LimitReader returns the body itself. A
// longer body fails.
func TestBodyInMemoryIsReadItself(t *testing.T) {
	const length = 5
	tests := []struct {
		name    string
		body    io.Reader
		isKnown bool // whether Length knows the length of the body
	}{
		{name: "bytes", body: bytes.NewReader([]byte("12345")), isKnown: true},
		{name: "a text", body: strings.NewReader("12345"), isKnown: true},
		{name: "a buffer", body: bytes.NewBufferString("12345"), isKnown: true},
		{
			name:    "a section of a file",
			body:    io.NewSectionReader(strings.NewReader("0123456"), 1, length),
			isKnown: true,
		},
		{name: "a type that wraps one", body: hidden{strings.NewReader("12345")}, isKnown: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := bodyio.Length(tt.body)
			require.Equal(t, tt.isKnown, ok)
			if tt.isKnown {
				require.EqualValues(t, length, got)
			} else {
				require.Zero(t, got)
			}

			isItself := bodyio.LimitReader(tt.body, length, errTooLarge) == tt.body
			require.Equal(t, tt.isKnown, isItself)

			_, err := io.ReadAll(bodyio.LimitReader(tt.body, length-1, errTooLarge))
			require.ErrorIs(t, err, errTooLarge)
		})
	}
}
