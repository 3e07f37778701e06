package httpheader

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func TestRange(t *testing.T) {
	for name, row := range map[string]struct {
		request driver.GetRequest
		want    string
	}{
		"a whole object": {driver.GetRequest{Length: -1}, ""},
		"from the start": {driver.GetRequest{Length: 3}, "bytes=0-2"},
		"one byte":       {driver.GetRequest{Offset: 4, Length: 1}, "bytes=4-4"},
		"to the end":     {driver.GetRequest{Offset: 4, Length: -1}, "bytes=4-"},
		"the last bytes": {driver.GetRequest{Suffix: 7, Length: -1}, "bytes=-7"},
		"more last bytes than the server accepts":  {driver.GetRequest{Suffix: 1001, Length: -1}, "bytes=-1000"},
		"as many last bytes as the server accepts": {driver.GetRequest{Suffix: 1000, Length: -1}, "bytes=-1000"},
		"beyond four GiB":                          {driver.GetRequest{Offset: 5 << 30, Length: 10}, "bytes=5368709120-5368709129"},
		"a suffix wins over an offset":             {driver.GetRequest{Offset: 3, Suffix: 7, Length: -1}, "bytes=-7"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, Range(&row.request, 1000)) })
	}
}

func TestParseContentRange(t *testing.T) {
	start, size, err := ParseContentRange("bytes 5-14/5368709120")
	require.NoError(t, err)
	require.Equal(t, int64(5), start)
	require.Equal(t, int64(5<<30), size)
	for _, value := range []string{"", "bytes */20", "bytes 5-14", "bytes 5/20", "bytes x-14/20", "bytes 5-14/*", "bytes 5-14/-20"} {
		_, _, err := ParseContentRange(value)
		require.Equal(t, storage.Internal, storage.CodeOf(err), value)
	}
}

func TestAResponseThatBeginsElsewhereIsRefused(t *testing.T) {
	require.NoError(t, CheckStart(&driver.GetRequest{Offset: 5, Length: 1}, 5))
	require.NoError(t, CheckStart(&driver.GetRequest{Suffix: 5, Length: -1}, 15), "the server says where the last bytes begin")
	err := CheckStart(&driver.GetRequest{Offset: 5, Length: 1}, 0)
	require.Equal(t, storage.Internal, storage.CodeOf(err))
	require.ErrorContains(t, err, "begins at byte 0 and not at 5")
}

func TestValues(t *testing.T) {
	require.Nil(t, Optional(""))
	require.Equal(t, "a", *Optional("a"))
	for tag, want := range map[string]string{"": "", "abc": `"abc"`, `"abc"`: `"abc"`, `W/"abc"`: `"abc"`, "W/": ""} {
		require.Equal(t, want, ETag(tag), tag)
	}
	h := http.Header{"X-Amz-Meta-Color-Of": {"red", "blue"}, "X-Amz-Meta-Empty": {}, "X-Amz-Acl": {"private"}}
	require.Equal(t, map[string]string{"color-of": "red"}, Metadata(h, "X-Amz-Meta-"))
	require.Nil(t, Metadata(http.Header{}, "X-Amz-Meta-"))
}

func TestCRC32C(t *testing.T) {
	require.Equal(t, "4waSgw==", EncodeCRC32C(0xE3069283)) // of "123456789"
	require.Equal(t, storage.CRC32C{Sum: 0xE3069283, Known: true}, DecodeCRC32C("4waSgw=="))
	for _, text := range []string{"", "4waSg", "4waSgwA=", "not base64!"} {
		require.False(t, DecodeCRC32C(text).Known, text)
	}
}
