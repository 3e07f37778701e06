package encrypt

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Rewrap encrypts the data key of an object again for the keys that the layer of bucket has now, even
// if they have not changed. It copies the object onto itself inside the store, without moving its
// bytes, and returns its attributes, which have a new revision.
//
// The object keeps its attributes and tags. It loses its locks, as with every copy. If another call
// sets tags at the same moment, only S3 and Google are certain to keep these tags.
//
// If an object was stored without the layer, [Config.AllowPlain] must be set. The bytes of such an
// object pass through this machine and are encrypted.
//
// Rewrap fails with PreconditionFailed or Changed if the object was written meanwhile, and can then be
// called again. It fails with Unsupported if the store cannot copy, or does not have
// [storage.ConditionalUpdate], and with PermissionDenied if the keys do not decrypt the object.
//
// Someone who has a copy of the old header and an old key can still decrypt the object. If a key is no
// longer secret, upload the object again, because a new upload has a new data key.
func Rewrap(ctx context.Context, bucket storage.Bucket, key string) (*storage.Attrs, error) {
	if !storage.Supports(bucket, storage.ServerCopy|storage.ConditionalUpdate) {
		return nil, &storage.Error{
			Code: storage.Unsupported,
			Op:   "encrypt.Rewrap",
			Key:  key,
			Hint: "the store must copy on its side, with IfRevision; upload the object again instead",
		}
	}
	attrs, err := bucket.Attrs(driver.WithoutFailover(ctx), key)
	if err != nil {
		return nil, err
	}
	// The copy also keeps the metadata that other layers, such as overlay, have added to the
	// object.
	return storage.Copy(driver.WithLayerMetadata(ctx), bucket, key, bucket, key, storage.IfRevision(attrs.Revision))
}
