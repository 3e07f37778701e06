package httpheader

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Range returns the Range header of a request, or "" for a whole object. If the request is for the last bytes, the
// header asks for no more of them than the server accepts.
func TestRange(t *testing.T) {
	const maxSuffix = 1000
	tests := []struct {
		name    string
		request driver.GetRequest
		want    string
	}{
		{name: "a whole object", request: driver.GetRequest{Length: -1}, want: ""},
		{name: "from the start", request: driver.GetRequest{Length: 3}, want: "bytes=0-2"},
		{name: "one byte", request: driver.GetRequest{Offset: 4, Length: 1}, want: "bytes=4-4"},
		{name: "to the end", request: driver.GetRequest{Offset: 4, Length: -1}, want: "bytes=4-"},
		{name: "the last bytes", request: driver.GetRequest{Suffix: 7, Length: -1}, want: "bytes=-7"},
		{
			name:    "more last bytes than the server accepts",
			request: driver.GetRequest{Suffix: maxSuffix + 1, Length: -1},
			want:    "bytes=-1000",
		},
		{
			name:    "as many last bytes as the server accepts",
			request: driver.GetRequest{Suffix: maxSuffix, Length: -1},
			want:    "bytes=-1000",
		},
		{
			name:    "beyond four GiB",
			request: driver.GetRequest{Offset: 5 << 30, Length: 10},
			want:    "bytes=5368709120-5368709129",
		},
		{
			name:    "a suffix wins over an offset",
			request: driver.GetRequest{Offset: 3, Suffix: 7, Length: -1},
			want:    "bytes=-7",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, Range(&tt.request, maxSuffix))
		})
	}
}

// IsWhole reports whether a request asks for all bytes of an object of a given size.
func TestIsWhole(t *testing.T) {
	const size = 5
	tests := []struct {
		name    string
		request driver.GetRequest
		want    bool
	}{
		{name: "all bytes", request: driver.GetRequest{Length: 5}, want: true},
		{name: "more than all bytes", request: driver.GetRequest{Length: 9}, want: true},
		{name: "the first bytes", request: driver.GetRequest{Length: 4}, want: false},
		{name: "from an offset on", request: driver.GetRequest{Offset: 1, Length: -1}, want: false},
		{
			name:    "as many last bytes as there are",
			request: driver.GetRequest{Suffix: 5, Length: -1},
			want:    true,
		},
		{name: "some last bytes", request: driver.GetRequest{Suffix: 4, Length: -1}, want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, IsWhole(&tt.request, size))
		})
	}
}

// SizeOf returns the size of the object from the Content-Range of a response.
func TestSizeOf(t *testing.T) {
	tenBytesFrom5 := &driver.GetRequest{Offset: 5, Length: 10}
	size, err := SizeOf(tenBytesFrom5, "bytes 5-14/5368709120")
	require.NoError(t, err)
	require.Equal(t, int64(5<<30), size)
}

// SizeOf fails with RangeNotSatisfiable if the object ends before the requested range.
func TestSizeOfShortObject(t *testing.T) {
	tenBytesFrom5 := &driver.GetRequest{Offset: 5, Length: 10}
	_, err := SizeOf(tenBytesFrom5, "bytes 0-0/5")
	require.ErrorIs(t, err, storage.RangeNotSatisfiable)
}

// SizeOf fails with Internal if the Content-Range is malformed.
func TestSizeOfMalformed(t *testing.T) {
	tenBytesFrom5 := &driver.GetRequest{Offset: 5, Length: 10}
	for _, contentRange := range []string{
		"",
		"bytes */20",
		"bytes 5-14",
		"bytes 5/20",
		"bytes x-14/20",
		"bytes 5-14/*",
		"bytes 5-14/-20",
	} {
		t.Run(contentRange, func(t *testing.T) {
			_, err := SizeOf(tenBytesFrom5, contentRange)
			require.Equal(t, storage.Internal, storage.CodeOf(err))
		})
	}
}

// SizeOf fails if the response begins at another byte than the requested one.
func TestSizeOfElsewhere(t *testing.T) {
	tests := []struct {
		name         string
		request      driver.GetRequest
		contentRange string // of the response
		wantErr      string // "" if there is none
	}{
		{
			name:         "at the requested byte",
			request:      driver.GetRequest{Offset: 5, Length: 1},
			contentRange: "bytes 5-5/20",
		},
		{
			name:         "at the start",
			request:      driver.GetRequest{Offset: 5, Length: 1},
			contentRange: "bytes 0-5/20",
			wantErr:      "begins at byte 0 and not at 5",
		},
		{
			name:         "the last bytes",
			request:      driver.GetRequest{Suffix: 5, Length: -1},
			contentRange: "bytes 15-19/20",
		},
		{
			name:         "the last bytes of a shorter object",
			request:      driver.GetRequest{Suffix: 5, Length: -1},
			contentRange: "bytes 0-2/3",
		},
		{
			name:         "the first bytes in place of the last",
			request:      driver.GetRequest{Suffix: 5, Length: -1},
			contentRange: "bytes 0-4/20",
			wantErr:      "begins at byte 0 and not at 15",
		},
		{
			name:         "fewer of the last bytes than requested",
			request:      driver.GetRequest{Suffix: 5, Length: -1},
			contentRange: "bytes 17-19/20",
			wantErr:      "begins at byte 17 and not at 15",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := SizeOf(&tt.request, tt.contentRange)
			if tt.wantErr == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, storage.Internal, storage.CodeOf(err))
			require.ErrorContains(t, err, tt.wantErr)
		})
	}
}

// Optional returns nil for the zero value.
func TestOptional(t *testing.T) {
	require.Nil(t, Optional(""))
	require.Equal(t, "a", *Optional("a"))
}

// ETag returns an ETag in quotes and without the mark of a weak one.
func TestETag(t *testing.T) {
	tests := []struct {
		name string
		tag  string
		want string
	}{
		{name: "empty", tag: "", want: ""},
		{name: "without quotes", tag: "abc", want: `"abc"`},
		{name: "strong", tag: `"abc"`, want: `"abc"`},
		{name: "weak", tag: `W/"abc"`, want: `"abc"`},
		{name: "weak and empty", tag: "W/", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, ETag(tt.tag))
		})
	}
}

// Metadata returns the headers whose names begin with a prefix. A key is the rest of such a name in
// lower case, and its value is the first one of the header.
func TestMetadata(t *testing.T) {
	header := http.Header{
		"X-Amz-Meta-Color-Of": {"red", "blue"},
		"X-Amz-Meta-Empty":    {},
		"X-Amz-Acl":           {"private"},
	}
	require.Equal(t, map[string]string{"color-of": "red"}, Metadata(header, "X-Amz-Meta-"))

	require.Nil(t, Metadata(http.Header{}, "X-Amz-Meta-"))
}

// CRC32C decodes a checksum in base64. An invalid one is unknown.
func TestCRC32C(t *testing.T) {
	require.Equal(t, storage.CRC32C{Sum: 0xE3069283, Known: true}, CRC32C("4waSgw==")) // of "123456789"
	require.Equal(t, storage.CRC32C{}, CRC32C("not base64!"))
}
