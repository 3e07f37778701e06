package encrypt

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Rewrap encrypts the data key of an object again, for the keys that the layer of bucket has now, by a
// copy of the object onto itself inside the store: no bytes move. It does so also if the keys are the
// same. It returns the attributes of the object, which has a new revision. Its tags and attributes stay, but for
// tags that are set at the same moment, which only S3 and Google keep for certain; as with every copy, its locks do
// not.
//
// An object that was stored without the layer, and that [Config.AllowPlain] permits to read, passes through this
// machine and is encrypted.
//
// It fails with PreconditionFailed or Changed if another write came between: call it again. It fails with Unsupported
// if the store cannot copy or has no [storage.ConditionalUpdate], and with PermissionDenied if the keys do not decrypt
// the object.
//
// The old header stays readable for those who have a copy of it and an old key. If a key has become
// known, write the object again: a new upload has a new data key.
func Rewrap(ctx context.Context, bucket storage.Bucket, key string) (*storage.Attrs, error) {
	if !storage.Supports(bucket, storage.ServerCopy|storage.ConditionalUpdate) {
		return nil, &storage.Error{Code: storage.Unsupported, Op: "encrypt.Rewrap", Key: key,
			Hint: "the store must copy on its side, with IfRevision; upload the object again instead"}
	}
	attrs, err := bucket.Attrs(ctx, key)
	if err != nil {
		return nil, err
	}
	// Metadata that layers above have added is kept, such as that of an overlay's marker.
	return storage.Copy(driver.WithLayerMetadata(ctx), bucket, key, bucket, key, storage.IfRevision(attrs.Revision))
}
