package wiretest

import (
	"context"
	"hash/crc32"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Keys are one of each class of what a signature and an address have to hold.
// Each driver adds a key that looks like its own query, and one of 1,024 bytes.
var Keys = []string{
	"a", "a/b", "A", "images/photo.jpg", "with space", "plus+plus", "percent%41", "question?mark", "hash#mark",
	"amp&eq=semi;comma,", "colon:at@dollar$", "quote'(paren)*!", "tilde~", "\u00e9", "\U0001f600/emoji", strings.Repeat("s", 300),
}

// CurlKeys are those that a shell's client may bring over changed.
var CurlKeys = []string{
	"plain.txt", "with space", "plus+plus", "percent%41", "question?mark", "hash#mark", "brackets[1]{2}", "a&b=c;d,e:f@g$h!i'(j)*", "\u00e9", "\U0001f600/emoji",
}

// CRC32C is text's.
func CRC32C(text string) *uint32 {
	sum := crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
	return &sum
}

// Put is a request to store text.
func Put(key, text string) *storage.PutRequest {
	return &storage.PutRequest{Key: key, Body: strings.NewReader(text), Size: int64(len(text)), CRC32C: CRC32C(text)}
}

// SignedUpload is a request to sign an upload of "a" as text/plain for an hour,
// which change may change.
func SignedUpload(change func(r *storage.SignRequest)) *storage.SignRequest {
	r := &storage.SignRequest{Method: http.MethodPut, Key: "a", TTL: time.Hour, MinSize: -1, MaxSize: -1}
	r.ContentType = "text/plain"
	if change != nil {
		change(r)
	}
	return r
}

// RequireEscapedPath checks that the path of an address is path, with all but
// the unreserved bytes and "/" escaped.
func RequireEscapedPath(t testing.TB, address, path string) {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, path, u.Path)
	for _, c := range []byte(u.EscapedPath()) {
		require.True(t, strings.ContainsRune("-._~/%", rune(c)) || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z', "%q", u.EscapedPath())
	}
}

// BucketRequest is what the core makes of options for the bucket "photos".
func BucketRequest(opts ...storage.BucketOption) *storage.BucketRequest {
	r := &storage.BucketRequest{Name: "photos"}
	_, _ = storage.NewService(&recorder{into: r}).UpdateBucket(context.Background(), "photos", opts...)
	return r
}

type recorder struct {
	storage.UnimplementedServiceDriver
	into *storage.BucketRequest
}

func (r *recorder) UpdateBucket(_ context.Context, asked *storage.BucketRequest) (*storage.BucketInfo, error) {
	*r.into = *asked
	return &storage.BucketInfo{}, nil
}
