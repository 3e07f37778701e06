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
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// Keys contains a key of each kind that signatures and URLs must support. The test of each driver
// adds a key that looks like a query of its provider, and a key of 1,024 bytes.
var Keys = []string{
	"a", "a/b", "A", "images/photo.jpg", "with space", "plus+plus", "percent%41", "question?mark", "hash#mark",
	"amp&eq=semi;comma,", "colon:at@dollar$", "quote'(paren)*!", "tilde~", "\u00e9", "\U0001f600/emoji", strings.Repeat("s", 300),
}

// CurlKeys contains keys that a shell or curl might change.
var CurlKeys = []string{
	"plain.txt", "with space", "plus+plus", "percent%41", "question?mark", "hash#mark", "brackets[1]{2}", "a&b=c;d,e:f@g$h!i'(j)*", "\u00e9", "\U0001f600/emoji",
}

// CRC32C returns the checksum of text.
func CRC32C(text string) storage.CRC32C {
	sum := crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
	return storage.CRC32C{Sum: sum, Known: true}
}

// Put returns a request for the method Put of a driver. The request stores the given text under the
// given key.
func Put(key, text string) *driver.PutRequest {
	return &driver.PutRequest{Key: key, Body: strings.NewReader(text), Size: int64(len(text)), CRC32C: CRC32C(text)}
}

// SignedUpload returns a request to sign an upload of the object "a" as text/plain, valid for an
// hour. change, if not nil, may change the request.
func SignedUpload(change func(r *driver.SignRequest)) *driver.SignRequest {
	req := &driver.SignRequest{
		Method:  http.MethodPut,
		Key:     "a",
		TTL:     time.Hour,
		MinSize: -1,
		MaxSize: -1,
	}
	req.ContentType = "text/plain"
	if change != nil {
		change(req)
	}
	return req
}

// RequireEscapedPath requires that a URL has this path once it is unescaped, and that every byte of
// it is escaped but "/" and the unreserved characters.
func RequireEscapedPath(t testing.TB, address, path string) {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, path, u.Path)
	require.Regexp(t, `^[-._~/%0-9A-Za-z]*$`, u.EscapedPath())
}

// BucketRequest returns the request that a driver receives for the bucket "photos" with these
// options.
func BucketRequest(opts ...storage.BucketOption) *driver.BucketRequest {
	req := &driver.BucketRequest{Name: "photos"}
	service := engine.NewService(&recorder{into: req})
	// A request with wrong options does not reach the driver, and req stays as it is.
	_, _ = service.UpdateBucket(context.Background(), "photos", opts...)
	return req
}

// A recorder is a driver that copies the last request to into.
type recorder struct {
	driver.UnimplementedServiceDriver
	into *driver.BucketRequest
}

func (r *recorder) UpdateBucket(_ context.Context, req *driver.BucketRequest) (*storage.BucketInfo, error) {
	*r.into = *req
	return &storage.BucketInfo{}, nil
}
