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

// registered maps the root of locations to the bucket that Register was called with.
var registered = struct {
	sync.Mutex
	buckets map[string]storage.Bucket
	schemes map[string]bool
}{buckets: map[string]storage.Bucket{}, schemes: map[string]bool{}}

// Register makes iceberg-go use b for all locations below root, until [Unregister], which does not
// close b. root must be a scheme and a name, such as "s3://lake", or else Register fails with
// InvalidArgument.
//
// Register replaces the function that iceberg-go has for the scheme, so every location with that
// scheme needs a registered bucket. The properties of a catalog have no effect on b.
func Register(root string, b storage.Bucket) error {
	u, err := url.Parse(root)
	if err != nil || u.Scheme == "" || u.Host == "" || root != u.Scheme+"://"+u.Host {
		return &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "Register",
			Err:  errors.New(`root must be as in "s3://lake"`),
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

// Unregister removes the bucket that [Register] has registered for root. If there is none, it does
// nothing.
func Unregister(root string) {
	registered.Lock()
	defer registered.Unlock()
	delete(registered.buckets, root)
}

// open returns the file system of the bucket that is registered for a location. iceberg-go calls it for
// each location of a registered scheme.
func open(ctx context.Context, location *url.URL, _ map[string]string) (iceio.IO, error) {
	root := location.Scheme + "://" + location.Host
	b, ok := lookup(root)
	if !ok {
		return nil, &storage.Error{
			Code: storage.BucketNotFound,
			Op:   "Open",
			Err:  fmt.Errorf("no bucket is registered for %q", root),
			Hint: "call Register of the adapter with that root and a bucket",
		}
	}
	return New(ctx, b, root), nil
}

// lookup returns the bucket that [Register] has registered for root.
func lookup(root string) (storage.Bucket, bool) {
	registered.Lock()
	defer registered.Unlock()
	b, ok := registered.buckets[root]
	return b, ok
}
