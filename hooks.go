package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/unexported"
)

func init() {
	root := &unexported.Root
	root.ErrorState = stateOf
	root.OwnError = func(err error) error { return ownError(err) }
	root.AsError = func(ctx context.Context, err error) error { return asError(ctx, err) }
	root.BodyFailed = func(err error) error { return bodyFailed(err) }
	root.Changed = func(first, now any) bool { return changed(first.(*Attrs), now.(*Attrs)) }
	root.InitReader = initReader
	root.MoveByCopy = func(ctx context.Context, b any, from, to string, opts any) (any, error) {
		return moveByCopy(ctx, b.(ReadWriter), from, to, opts.([]CopyOption))
	}
	root.OpenSource = func(ctx context.Context, source any, key string, given any) (any, error) {
		r, e := openForeignSource(ctx, "Copy", source.(Downloader), key, given.(*CopyOptions))
		if e != nil {
			return nil, e
		}
		return r, nil
	}
	root.SourceFailed = func(ctx context.Context, err error) error { return sourceFailed(ctx, err) }
	root.OpenOptions = func(opts any) *unexported.OpenOptions { return readOpenOptions(opts.([]OpenOption)) }
	root.OpenOption = func(set func(*unexported.OpenOptions)) any { return openOption(set) }
	root.Register, root.OpenDriver = register, openDriver
	root.CheckAddress = func(address string) error {
		if _, _, e := parseAddress(address); e != nil {
			return e
		}
		return nil
	}
}
