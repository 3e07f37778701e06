package iceberg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/omnibucket/storage"
)

// registered are the buckets by the root of their locations.
var registered = struct {
	sync.Mutex
	buckets map[string]storage.Bucket
	schemes map[string]bool
}{buckets: map[string]storage.Bucket{}, schemes: map[string]bool{}}

// Register makes iceberg-go find the locations below root in b, until [Unregister]. root is a
// scheme and a name, as in "s3://lake"; anything else is InvalidArgument. All locations of
// that scheme then need a registered bucket: Register replaces what iceberg-go or a package of its
// own registered for the scheme. b stays open. The properties of a catalog do not configure it.
func Register(root string, b storage.Bucket) error {
	u, err := url.Parse(root)
	if err != nil || u.Scheme == "" || u.Host == "" || root != u.Scheme+"://"+u.Host {
		return &storage.Error{
			Code: storage.InvalidArgument, Op: "Register",
			Err: errors.New(`root must be as in "s3://lake"`),
		}
	}
	registered.Lock()
	defer registered.Unlock()
	registered.buckets[root] = b
	if !registered.schemes[u.Scheme] {
		registered.schemes[u.Scheme] = true
		iceio.Unregister(u.Scheme)
		iceio.Register(u.Scheme, open)
	}
	return nil
}

// Unregister undoes [Register] for one root. It succeeds if there is none.
func Unregister(root string) {
	registered.Lock()
	defer registered.Unlock()
	delete(registered.buckets, root)
}

// open is what iceberg-go calls for a location.
func open(ctx context.Context, location *url.URL, _ map[string]string) (iceio.IO, error) {
	root := location.Scheme + "://" + location.Host
	registered.Lock()
	defer registered.Unlock()
	b, found := registered.buckets[root]
	if !found {
		return nil, &storage.Error{
			Code: storage.BucketNotFound, Op: "Open", Err: fmt.Errorf("no bucket is registered for %q", root),
			Hint: "call Register of the adapter with that root and a bucket",
		}
	}
	return New(ctx, b, root), nil
}
