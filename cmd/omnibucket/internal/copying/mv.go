package copying

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/inquiry"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/internal/serving"
)

// Mv returns the command mv, which moves files and objects, with the flags of cp.
func Mv(p *program.Program) *cobra.Command {
	f := cpFlags{move: true}
	var a program.Attributes
	c := &cobra.Command{
		Use:   "mv [flags] SOURCE... DESTINATION",
		Short: "Move files and objects, or trees with -r",
		Long: `Moves an object within its bucket in one step, if the store can. Otherwise it copies like cp,
inside the provider if possible, and then removes the source. The source is removed when the
copy is complete and on the disk, and only if it did not change meanwhile. If the command is
interrupted, each object is at the source, at the destination or at both: repeat the command
to continue. An object that the destination has with the same content is copied again, unless it was
written there at least an hour after that of the source. Do not move the same objects to and fro
at the same time if one end is on S3 or a compatible server: both copies may be removed.
` + program.WildcardHelp,
		Example: `  omnibucket mv 's3://photos/new/a.jpg?region=eu-west-1' 's3://photos/2026/?region=eu-west-1'
  omnibucket mv -r ./export gs://archive
  omnibucket mv 'photos:inbox/*.jpg' photos:2026/`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if f.write, err = a.Read(c); err != nil {
				return err
			}
			return cp(c.Context(), p, &f, args[:len(args)-1], args[len(args)-1])
		},
	}

	f.register(c)
	a.Register(c)
	return c
}

// mvOne moves one file or object, in one step if the store can. Otherwise it calls cp to copy the source, and then
// removes the source.
func mvOne(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location, cp func() error) error {
	// Without failover, the object that is removed is in the same store as the one that was read.
	ctx = driver.WithoutFailover(ctx)

	if err := requireDistinct(ctx, p, src, dst); err != nil {
		return err
	}

	if src.Kind == location.InBucket && dst.Kind == location.InBucket && !p.Global.DryRun {
		err := mvInOneStep(ctx, p, f, src, dst)
		needsCopy := errors.Is(err, errSeveralSteps)
		if !needsCopy {
			return err
		}
	}

	if src.Kind == location.LocalPath {
		return mvFile(p, src.Path, cp)
	}
	return mvObject(ctx, p, src, dst, cp)
}

// mvFile calls cp to copy a local file, and then removes the file if it is still the same.
func mvFile(p *program.Program, path string, cp func() error) error {
	info, err := os.Stat(path)
	if err != nil {
		return argument.OfPath(path, err)
	}
	if !info.Mode().IsRegular() {
		// A device or a pipe cannot be moved by reading it.
		return argument.Invalid("source of mv must be a regular file", "to copy what a device or pipe has, use cp")
	}

	if err := cp(); err != nil || p.Global.DryRun {
		return err
	}
	return removeFile(path, info)
}

// mvObject calls cp to copy an object, and then removes the object if it is still the one that was copied.
func mvObject(ctx context.Context, p *program.Program, src, dst location.Location, cp func() error) error {
	bucket, err := p.Stores.Open(ctx, src)
	if err != nil {
		return err
	}
	attrs, err := bucket.Attrs(ctx, src.Key)
	if err != nil {
		return err
	}

	if err := checkIsOther(ctx, p, attrs, src, dst); err != nil {
		return err
	}

	if err := cp(); err != nil || p.Global.DryRun {
		return err
	}
	return removeCopied(ctx, bucket, attrs)
}

var errSeveralSteps = errors.New("the object cannot be moved in one step")

// mvInOneStep moves an object within its bucket, or returns errSeveralSteps if the store cannot do so in one step.
func mvInOneStep(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	srcBucket, err := p.Stores.Open(ctx, src)
	if err != nil {
		return err
	}
	dstBucket, err := p.Stores.Open(ctx, dst)
	if err != nil {
		return err
	}
	return transferOne(ctx, p, f, "copied", src, dst, func([]storage.TransferOption) (*storage.Attrs, error) {
		attrs, done, err := serving.MoveInOneStep(ctx, dstBucket, dst.Key, srcBucket, src.Key, f.write.ForCopy())
		if err != nil && !done {
			return nil, err
		}
		if !done {
			return nil, errSeveralSteps
		}
		// MoveInOneStep returns any, because its package cannot import this type.
		return attrs.(*storage.Attrs), nil
	})
}

// checkIsOther refuses a destination that has the key, ETag, revision and time of the source, because it seems to be
// the source under another address of the same bucket.
func checkIsOther(ctx context.Context, p *program.Program, srcAttrs *storage.Attrs, src, dst location.Location) error {
	if dst.Kind != location.InBucket {
		return nil
	}
	haveSameKey := src.Scheme == dst.Scheme && src.Prefix+src.Key == dst.Prefix+dst.Key
	if !haveSameKey {
		return nil
	}

	bucket, err := p.Stores.Open(ctx, dst)
	if err != nil {
		return err
	}
	attrs, err := bucket.Attrs(ctx, dst.Key)
	if err != nil {
		// There is no such object, or the copy will report the error.
		return nil
	}

	hasSameContent := srcAttrs.ETag != "" && attrs.ETag == srcAttrs.ETag && attrs.Revision == srcAttrs.Revision
	if !hasSameContent || !attrs.Modified.Equal(srcAttrs.Modified) {
		return nil
	}
	return argument.Invalid("source and destination seem to be one object",
		"check that they are not two addresses of one bucket")
}

var errMoving = errors.New("source changed while it was copied, and was not removed")

// removeFile removes a file if it is still the one that old describes. Otherwise it returns a Changed error.
func removeFile(path string, old fs.FileInfo) error {
	errChanged := &storage.Error{Code: storage.Changed, Key: path, Err: errMoving}

	// A link is removed itself, and not the file behind it.
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return removeLink(path, old, errChanged)
	}

	dir, name := filepath.Split(path)
	root, err := os.OpenRoot(cmp.Or(dir, "."))
	if err != nil {
		return err
	}
	// Nothing was written through root, so an error of Close does not matter.
	defer root.Close()

	err = localfile.RemoveUnchanged(root, name, func(current fs.FileInfo) bool {
		return isSameVersion(current, old)
	})
	if err == localfile.ErrReplaced {
		return errChanged
	}
	return err
}

// isSameVersion reports whether a file has not changed between two calls of Stat. A download may replace the file and set
// the old modification time, so it also compares the time of the last write, which no program can set back.
func isSameVersion(a, b fs.FileInfo) bool {
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && localfile.Written(a).Equal(localfile.Written(b))
}

// removeLink removes a symbolic link, but not its target, if the target is still the one that old describes. Otherwise it
// returns errChanged.
func removeLink(path string, old fs.FileInfo, errChanged error) error {
	// Stat describes the target of the link.
	current, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		// Another program has removed the link or its target.
		return nil
	}
	if err != nil {
		return err
	}

	if !isSameVersion(current, old) {
		return errChanged
	}
	return os.Remove(path)
}

// removeCopied removes an object that was copied, or returns a Changed error if it does not have the attributes of old
// any more.
func removeCopied(ctx context.Context, bucket storage.Bucket, old *storage.Attrs) error {
	err := revisions.RemoveUnchanged(ctx, bucket, old.Key, old)
	if errors.Is(err, storage.Changed) {
		return &storage.Error{Code: storage.Changed, Op: "Remove", Key: old.Key, Err: errMoving}
	}
	return err
}

// requireDistinct refuses a move whose source and destination are the same file or object. It looks at the addresses
// first. If they leave it open, requireApart tests it with an object.
func requireDistinct(ctx context.Context, p *program.Program, src, dst location.Location) error {
	same, err := isSame(ctx, p, src, dst)
	if err != nil {
		return err
	}
	if same {
		return errSame
	}

	source, err := openPlace(ctx, p, src)
	if err != nil {
		return err
	}
	destination, err := openPlace(ctx, p, dst)
	if err != nil {
		return err
	}
	areApart := evidence.Apart(serving.Places(source), serving.Places(destination))
	if areApart {
		return nil
	}

	// The addresses may be two names of the same place. A dry run cannot find out, because requireApart stores an
	// object.
	if p.Global.DryRun {
		return nil
	}
	return requireApart(ctx, p, src, dst)
}

// requireApart refuses a move if the source and the destination, whose addresses may mean the same place, have the
// same name and folder. It stores an object beside the destination and looks whether it appears beside the source.
func requireApart(ctx context.Context, p *program.Program, src, dst location.Location) error {
	dstEnd, dstFolder, dstName, err := openParent(ctx, p, dst)
	if err != nil {
		return err
	}
	srcEnd, srcFolder, srcName, err := openParent(ctx, p, src)
	if err != nil {
		return err
	}
	if dstName != srcName {
		// Two objects with different base names are different objects.
		return nil
	}

	// Even if the object appears, err may be that of its removal.
	appears, err := evidence.Appears(ctx, dstEnd, dstFolder, srcEnd, srcFolder)
	if appears {
		return errors.Join(errSame, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		// The destination's folder does not exist yet.
		return nil
	}
	return err
}

// openParent opens the local directory or the bucket that contains a file or object, as an end of the test that
// requireApart makes. It also returns the folder in the bucket, which is "" for a file, and the base name.
func openParent(
	ctx context.Context, p *program.Program, l location.Location,
) (end evidence.End, folder, name string, err error) {
	if l.Kind == location.LocalPath {
		return inquiry.OfPath(filepath.Dir(l.Path)), "", filepath.Base(l.Path), nil
	}

	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return nil, "", "", err
	}
	folder, name = path.Split(l.Key)

	// One argument is for reading, and the other one for writing.
	return inquiry.OfBucket(bucket, bucket), folder, name, nil
}

// isSame reports whether the addresses of two locations show that they are the same file or object.
func isSame(ctx context.Context, p *program.Program, a, b location.Location) (bool, error) {
	first, err := openPlace(ctx, p, a)
	if err != nil {
		return false, err
	}
	second, err := openPlace(ctx, p, b)
	if err != nil {
		return false, err
	}

	rest, ok := serving.Below(first, second)
	return ok && rest == "", nil
}

// openPlace opens a location as an argument for serving.Below. A file or object becomes the directory or folder of its
// name.
func openPlace(ctx context.Context, p *program.Program, l location.Location) (any, error) {
	if l.Kind == location.LocalPath {
		return serving.Directory(l.Path), nil
	}
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return nil, err
	}
	return program.WithPrefix(bucket, location.AsFolder(l.Key)), nil
}
