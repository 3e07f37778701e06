package storage

import "github.com/omnibucket/storage/internal/unexported"

// As returns the provider's own client of b, for what this package does not cover:
//
//	client, ok := storage.As[*s3.Client](bucket)
//
// Each driver has one type: *s3.Client of aws-sdk-go-v2's service/s3 for S3, *storage.Client
// of cloud.google.com/go/storage for Google, *container.Client of azblob for Azure (also if a
// *service.Client was supplied), *os.Root for a local directory. Memory has none. For any
// other T, and for results of [Ref] and [Prefixed], As returns false. It does so for a type of your
// own, unless that is an [Unwrapper].
func As[T any](b Bucket) (T, bool) {
	if own, ok := reach(b); ok && own.Scope().Whole() {
		native, ok := own.Client().(T)
		return native, ok
	}
	var none T
	return none, false
}

// natives checks that the driver takes the options, and returns their values.
func (c *core) natives(given []unexported.Native) ([]any, *Error) {
	if len(given) == 0 {
		return nil, nil
	}
	values := make([]any, len(given))
	for i, n := range given {
		if n.Provider != c.desc.Provider || c.desc.CheckNative == nil {
			return nil, unsupported("an option of "+n.Provider+" does not fit "+c.desc.Provider+" here", "")
		}
		if err := c.desc.CheckNative(n.Value); err != nil {
			return nil, ownError(err)
		}
		values[i] = n.Value
	}
	return values, nil
}
