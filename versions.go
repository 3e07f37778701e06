package storage

import (
	"context"
	"iter"
)

// A Versioner is a bucket that tells its versions: one from [New], or a type of your own, for
// which [Versions] calls this method.
type Versioner interface {
	Versions(ctx context.Context, opts ...ListOption) iter.Seq2[VersionEntry, error]
}

// Versions yields the kept versions under a prefix, by key, the newest first. It takes
// [WithPrefix], [WithLimit] and [WithPageSize]; with [WithDelimiter] or [WithStartAfter] it
// fails with InvalidArgument. If the bucket keeps no versions, or is no [Versioner], it fails
// with Unsupported.
func Versions(ctx context.Context, b Lister, opts ...ListOption) iter.Seq2[VersionEntry, error] {
	v, e := need[Versioner](b, "Versions")
	if e != nil {
		return failing[VersionEntry](located(b, "Versions", "", e))
	}
	return v.Versions(ctx, opts...)
}
