package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/partfile"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/internal/unexported"
)

func init() {
	serving.Record = record
	serving.Continue = func(
		ctx context.Context, b any, key string, part *partfile.File, opts any, progress func(done, total int64),
	) (any, bool, error) {
		return continueDownload(ctx, b.(Downloader), key, part, opts.([]DownloadOption), progress)
	}
	root := &unexported.Root
	root.ErrorState = stateOf
	root.OwnError = func(err error) error { return ownError(err) }
	root.AsError = func(ctx context.Context, err error) error { return asError(ctx, err) }
	root.BodyFailed = func(err error) error { return bodyFailed(err) }
	root.Need = func(b any, op, key string) error {
		if _, e := need(b, op, key); e != nil {
			return e
		}
		return nil
	}
	root.Changed = func(first, now any) bool { return changed(first.(*Attrs), now.(*Attrs)) }
	root.InitReader = initReader
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
