package httpheader

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Range returns the header of a request for bytes, or "" for a whole object. It asks for no more last
// bytes than the server accepts.
func TestRange(t *testing.T) {
	tests := map[string]struct {
		request driver.GetRequest
		want    string
	}{
		"a whole object": {request: driver.GetRequest{Length: -1}},
		"from the start": {request: driver.GetRequest{Length: 3}, want: "bytes=0-2"},
		"one byte":       {request: driver.GetRequest{Offset: 4, Length: 1}, want: "bytes=4-4"},
		"to the end":     {request: driver.GetRequest{Offset: 4, Length: -1}, want: "bytes=4-"},
		"the last bytes": {request: driver.GetRequest{Suffix: 7, Length: -1}, want: "bytes=-7"},
		"more last bytes than the server accepts": {
			request: driver.GetRequest{Suffix: 1001, Length: -1},
			want:    "bytes=-1000",
		},
		"as many last bytes as the server accepts": {
			request: driver.GetRequest{Suffix: 1000, Length: -1},
			want:    "bytes=-1000",
		},
		"beyond four GiB": {
			request: driver.GetRequest{Offset: 5 << 30, Length: 10},
			want:    "bytes=5368709120-5368709129",
		},
		"a suffix wins over an offset": {
			request: driver.GetRequest{Offset: 3, Suffix: 7, Length: -1},
			want:    "bytes=-7",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.want, Range(&tt.request, 1000))
		})
	}
}

// IsWhole reports whether a request for bytes asks for all five of an object.
func TestIsWhole(t *testing.T) {
	tests := []struct {
		name    string
		request driver.GetRequest
		want    bool
	}{
		{name: "all bytes", request: driver.GetRequest{Length: 5}, want: true},
		{name: "more than all bytes", request: driver.GetRequest{Length: 9}, want: true},
		{name: "the first bytes", request: driver.GetRequest{Length: 4}},
		{name: "from an offset on", request: driver.GetRequest{Offset: 1, Length: -1}},
		{
			name:    "as many last bytes as there are",
			request: driver.GetRequest{Suffix: 5, Length: -1},
			want:    true,
		},
		{name: "some last bytes", request: driver.GetRequest{Suffix: 4, Length: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, IsWhole(&tt.request, 5))
		})
	}
}

// SizeOf returns the size of the object from the Content-Range of a response, and refuses a malformed one.
func TestSizeOf(t *testing.T) {
	tenBytesFrom5 := &driver.GetRequest{Offset: 5, Length: 10}

	t.Run("five GiB", func(t *testing.T) {
		size, err := SizeOf(tenBytesFrom5, "bytes 5-14/5368709120")
		require.NoError(t, err)
		require.Equal(t, int64(5<<30), size)
	})
	t.Run("the object ends before the range", func(t *testing.T) {
		_, err := SizeOf(tenBytesFrom5, "bytes 0-0/5")
		require.ErrorIs(t, err, storage.RangeNotSatisfiable)
	})

	malformed := []string{
		"",
		"bytes */20",
		"bytes 5-14",
		"bytes 5/20",
		"bytes x-14/20",
		"bytes 5-14/*",
		"bytes 5-14/-20",
	}
	for _, header := range malformed {
		t.Run("malformed: "+header, func(t *testing.T) {
			_, err := SizeOf(tenBytesFrom5, header)
			require.Equal(t, storage.Internal, storage.CodeOf(err))
		})
	}
}

// SizeOf fails if the response begins at another byte than the requested one.
func TestSizeOfElsewhere(t *testing.T) {
	tests := map[string]struct {
		request   driver.GetRequest
		response  string
		elsewhere string
	}{
		"where it was asked for": {
			request:  driver.GetRequest{Offset: 5, Length: 1},
			response: "bytes 5-5/20",
		},
		"at the start": {
			request:   driver.GetRequest{Offset: 5, Length: 1},
			response:  "bytes 0-5/20",
			elsewhere: "begins at byte 0 and not at 5",
		},
		"the last bytes": {
			request:  driver.GetRequest{Suffix: 5, Length: -1},
			response: "bytes 15-19/20",
		},
		"the last bytes of a shorter object": {
			request:  driver.GetRequest{Suffix: 5, Length: -1},
			response: "bytes 0-2/3",
		},
		"the first bytes in place of the last": {
			request:   driver.GetRequest{Suffix: 5, Length: -1},
			response:  "bytes 0-4/20",
			elsewhere: "begins at byte 0 and not at 15",
		},
		"fewer of the last bytes than were asked": {
			request:   driver.GetRequest{Suffix: 5, Length: -1},
			response:  "bytes 17-19/20",
			elsewhere: "begins at byte 17 and not at 15",
		},
	}
	for name, tt := range tests {
		_, err := SizeOf(&tt.request, tt.response)
		if tt.elsewhere == "" {
			require.NoError(t, err, name)
			continue
		}
		require.Equal(t, storage.Internal, storage.CodeOf(err), name)
		require.ErrorContains(t, err, tt.elsewhere, name)
	}
}

// Optional returns nil for the zero value.
func TestOptional(t *testing.T) {
	require.Nil(t, Optional(""))
	require.Equal(t, "a", *Optional("a"))
}

// ETag returns a strong ETag in quotes.
func TestETag(t *testing.T) {
	for tag, want := range map[string]string{
		"":        "",
		"abc":     `"abc"`,
		`"abc"`:   `"abc"`,
		`W/"abc"`: `"abc"`,
		"W/":      "",
	} {
		require.Equal(t, want, ETag(tag), tag)
	}
}

// Metadata returns the first value of each header with a prefix, by its name in lower case.
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
