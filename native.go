package storage

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
