package encrypt

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Rewrap encrypts the data key of an object for the keys that the layer of bucket has now, even if
// they have not changed. It copies the object onto itself inside the store, without moving its
// bytes. It returns the attributes of the object, which has a new revision. The object keeps its
// tags and attributes, but, as with every copy, not its locks. If another call sets tags at the
// same moment, only S3 and Google are certain to keep them.
//
// An object that was stored without the layer, and that [Config.AllowPlain] permits to read, passes
// through this machine and is encrypted.
//
// It fails with PreconditionFailed or Changed if the object was written meanwhile. Then call it
// again. It fails with Unsupported if the store cannot copy or has no [storage.ConditionalUpdate],
// and with PermissionDenied if the keys do not decrypt the object.
//
// Someone who has a copy of the old header and an old key can still decrypt the object. If a key is
// no longer secret, upload the object again, because a new upload has a new data key.
func Rewrap(ctx context.Context, bucket storage.Bucket, key string) (*storage.Attrs, error) {
	if !storage.Supports(bucket, storage.ServerCopy|storage.ConditionalUpdate) {
		return nil, &storage.Error{Code: storage.Unsupported, Op: "encrypt.Rewrap", Key: key,
			Hint: "the store must copy on its side, with IfRevision; upload the object again instead"}
	}
	attrs, err := bucket.Attrs(ctx, key)
	if err != nil {
		return nil, err
	}
	// The copy keeps metadata of the layers above, such as that of an overlay's marker.
	return storage.Copy(driver.WithLayerMetadata(ctx), bucket, key, bucket, key, storage.IfRevision(attrs.Revision))
}
