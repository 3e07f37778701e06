package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/equal"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/internal/unexported"
)

func init() {
	serving.Places = placesOf
	serving.Reach = func(b any) serving.Bucket {
		if own, ok := reach(b); ok {
			return own
		}
		return nil
	}
	serving.Prefix = func(b any) string {
		if own, ok := reach(b); ok {
			return own.Scope().Prefix
		}
		return ""
	}
	serving.Identity = func(b any) (string, bool) {
		own, ok := reach(b)
		if !ok {
			return "", false
		}
		return own.Core().Identity() + " " + own.Scope().Prefix, true
	}
	serving.Record, serving.Continue = record, func(ctx context.Context, b any, key string, part *partfile.File, opts any, progress func(done, total int64)) (any, bool, error) {
		return continueDownload(ctx, b.(Downloader), key, part, opts.([]DownloadOption), progress)
	}
	serving.CopyInside = func(dst, src any) bool {
		to, _ := reached(dst)
		from, _ := reached(src)
		_, _, same := inOneAccount(to, from)
		return same && Supports(dst, ServerCopy)
	}
	serving.RemoveUnchanged = func(ctx context.Context, b any, key string, source any) error {
		return removeUnchanged(ctx, b.(ReadWriter), key, source.(*Attrs), nil)
	}
	serving.MoveInOneStep = func(ctx context.Context, dst any, to string, src any, from string, opts any) (any, bool, error) {
		into, ok := reach(dst)
		source, both := reach(src)
		if !ok || !both {
			return nil, false, nil
		}
		return into.MoveInOneStep(ctx, to, source, from, opts.([]CopyOption)...)
	}
}

// placesOf returns where the objects of b are, a bucket, a part of one or a directory; nothing if that is
// unknown.
func placesOf(b any) []evidence.Place {
	if dir, ok := b.(serving.Directory); ok {
		return []evidence.Place{{Directory: string(dir), Direct: true}}
	}
	switch whole, prefix := reached(b); whole := whole.(type) {
	case nil:
		return nil
	case unexported.Core:
		return evidence.In(whole.Places(), prefix)
	default:
		return []evidence.Place{{Account: whole, Prefix: prefix}}
	}
}

// reached returns what b stands for, a core or a user's own type, and the
// prefix of b in it. It returns nil if b is none of these.
func reached(b any) (whole any, prefix string) {
	if own, ok := reach(b); ok {
		return own.Core(), own.Scope().Prefix
	}
	switch b := b.(type) {
	case *view:
		return b.to, b.scope.Prefix
	case Uploader, Downloader, Lister, AttrsReader, Remover, SignedUploader, SignedDownloader, PublicLinker:
		return b, ""
	}
	return nil, ""
}

// inOneAccount reports whether a and b are known to be buckets of one account, and their names there.
func inOneAccount(a, b any) (from, to string, same bool) {
	first, own := a.(unexported.Core)
	second, also := b.(unexported.Core)
	if !own || !also {
		return "", "", false
	}
	account, from := first.Stored()
	other, to := second.Stored()
	return from, to, equal.Values(account, other)
}
