package storage

import (
	"context"

	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/unexported"
)

func init() {
	root := &unexported.Root
	root.Settings, root.ErrorState = settingsOf, func(err error) *unexported.ErrorState { return &err.(*Error).state }
	root.OwnError = func(err error) error { return ownError(err) }
	root.AsError = func(ctx context.Context, err error) error { return asError(ctx, err) }
	root.BodyFailed = func(err error) error { return bodyFailed(err) }
	root.Refused = func(s *scope.Scope, may scope.Permission) error {
		if e := outOfScope(s, may); e != nil {
			return e
		}
		return nil
	}
	root.Changed = func(first, now any) bool { return changed(first.(*Attrs), now.(*Attrs)) }
	root.InitReader = func(r any, from unexported.ReadSource, attrs any, offset, length int64) {
		initReader(r.(*Reader), from, attrs.(*Attrs), offset, length)
	}
	root.OpenSource = func(ctx context.Context, source any, key string, given any) (any, error) {
		r, e := openForeignSource(ctx, source.(Downloader), key, given.(*CopyOptions))
		if e != nil {
			return nil, e
		}
		return r, nil
	}
	root.SourceFailed = func(ctx context.Context, err error) error { return sourceFailed(ctx, err) }
	root.OpenOptions = func(opts any) *unexported.OpenOptions { return readOpenOptions(opts.([]OpenOption)) }
	root.OpenOption = func(set func(*unexported.OpenOptions)) any { return openOption(set) }
	root.Register, root.OpenDriver = register, openDriver
}

// settingsOf returns what options hold for the engine.
func settingsOf(options any) *unexported.Settings {
	switch o := options.(type) {
	case *UploadOptions:
		return &o.set
	case *DownloadOptions:
		return &o.set
	case *ListOptions:
		return &o.set
	case *RemoveOptions:
		return &o.set
	case *CopyOptions:
		return &o.set
	case *SignOptions:
		return &o.set
	case *ChangeOptions:
		return &o.set
	case *PartOptions:
		return &o.set
	}
	return &options.(*CompleteOptions).set
}
