package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/serving"
)

func (p *program) mvCommand() *cobra.Command {
	f := cpFlags{move: true}
	var a attributes
	c := &cobra.Command{
		Use:   "mv [flags] SOURCE... DESTINATION",
		Short: "Move files and objects, or trees with -r",
		Long: `Copies like cp, inside the provider if possible, and then removes the source. The source
is removed when the copy is complete and on the disk, and only if it did not change
meanwhile. If the command is interrupted, each object is at the source, at the
destination or at both: repeat the command to continue. Objects at the destination that
have the same content are not copied again.
` + wildcardHelp,
		Example: `  omnibucket mv 's3://photos/new/a.jpg?region=eu-west-1' 's3://photos/2026/?region=eu-west-1'
  omnibucket mv -r ./export gs://archive
  omnibucket mv 'photos:inbox/*.jpg' photos:2026/`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if f.write, err = a.read(c); err != nil {
				return err
			}
			return p.cp(c.Context(), &f, args[:len(args)-1], args[len(args)-1])
		},
	}
	f.register(c)
	a.register(c)
	return c
}

// mvOne copies one file or object with cp, and then removes it.
func (p *program) mvOne(ctx context.Context, src, dst location, cp func() error) error {
	if same, err := p.isSame(ctx, src, dst); same || err != nil {
		if err == nil {
			err = errSame
		}
		return err
	}
	if src.kind == localPath {
		before, err := os.Stat(src.path)
		if err != nil {
			return &storage.Error{Code: storage.ObjectNotFound, Key: src.path, Err: err}
		}
		if !before.Mode().IsRegular() { // a device or a pipe is not what was read from it
			return invalid("source of mv must be a regular file", "to copy what a device or pipe has, use cp")
		}
		if err := cp(); err != nil || p.global.dryRun {
			return err
		}
		return removeFile(src.path, before)
	}
	bucket, err := p.open(ctx, src)
	if err != nil {
		return err
	}
	before, err := bucket.Attrs(ctx, src.key)
	if err != nil {
		return err
	}
	if err := p.checkOther(ctx, before, src, dst); err != nil {
		return err
	}
	if err := cp(); err != nil || p.global.dryRun {
		return err
	}
	return removeCopied(ctx, bucket, before)
}

// checkOther refuses a destination that seems to be the source at another address of its bucket:
// it has the same key, ETag and time.
func (p *program) checkOther(ctx context.Context, before *storage.Attrs, src, dst location) error {
	if dst.kind != inBucket || src.scheme != dst.scheme || src.prefix+src.key != dst.prefix+dst.key {
		return nil
	}
	bucket, err := p.open(ctx, dst)
	if err != nil {
		return err
	}
	there, err := bucket.Attrs(ctx, dst.key)
	if err == nil && before.ETag != "" && there.ETag == before.ETag && there.Revision == before.Revision && there.Modified.Equal(before.Modified) {
		return invalid("source and destination seem to be one object", "check that they are not two addresses of one bucket")
	}
	return nil // copying returns any other error
}

var errMoving = errors.New("source changed while it was copied, and was not removed")

// removeFile removes a file that did not change since before.
func removeFile(path string, before fs.FileInfo) error {
	now, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime()):
		return &storage.Error{Code: storage.Changed, Key: path, Err: errMoving}
	}
	return os.Remove(path)
}

// removeCopied removes an object that did not change since before.
func removeCopied(ctx context.Context, bucket storage.Bucket, before *storage.Attrs) error {
	changed := &storage.Error{Code: storage.Changed, Op: "Remove", Key: before.Key, Err: errMoving}
	if storage.Supports(bucket, storage.ConditionalRemove) {
		err := bucket.Remove(ctx, before.Key, storage.IfRevision(before.Revision))
		if errors.Is(err, storage.PreconditionFailed) {
			return changed
		}
		return err
	}
	now, err := bucket.Attrs(ctx, before.Key)
	switch {
	case errors.Is(err, storage.ObjectNotFound):
		return nil
	case err != nil:
		return err
	case now.Revision != before.Revision || !now.Modified.Equal(before.Modified):
		return changed
	}
	return bucket.Remove(ctx, before.Key)
}

// isSame reports whether two locations are known to be one file or object.
func (p *program) isSame(ctx context.Context, a, b location) (bool, error) {
	first, err := p.place(ctx, a)
	if err != nil {
		return false, err
	}
	second, err := p.place(ctx, b)
	if err != nil {
		return false, err
	}
	rest, ok := serving.Below(first, second)
	return ok && rest == "", nil
}

// place returns a file or object for serving.Below, as if it were a folder.
func (p *program) place(ctx context.Context, l location) (any, error) {
	if l.kind == localPath {
		return serving.Directory(l.path), nil
	}
	bucket, err := p.open(ctx, l)
	if err != nil {
		return nil, err
	}
	return withPrefix(bucket, asFolder(l.key)), nil
}
