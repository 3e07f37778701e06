package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// rangesAtOnce is how many requests the download of one large file makes at once.
const rangesAtOnce = 8

const noSyncUsage = "do not wait until files are on the disk: a power failure may leave them empty"

// A cpFlags is what the flags of cp say.
type cpFlags struct {
	recursive bool
	noSync    bool
	write     writeOptions
	version   []storage.VersionOption // of the source, or nothing
}

func (p *program) cpCommand() *cobra.Command {
	var f cpFlags
	var a attributes
	var version string
	c := &cobra.Command{
		Use:   "cp [flags] SOURCE... DESTINATION",
		Short: "Copy files and objects, and with -r trees, to, from and between buckets",
		Long: `Copies a file to a bucket, an object to a file, or an object to another bucket,
inside the provider where it can. A destination that ends in "/", or is a directory
that is there, takes the source's own name. The directory of a destination is made if
it is missing. "-" is standard input or output.

With -r, trees: what is there already and the same is passed over. A destination
that is written as a folder (it ends in "/", or is ".", ".." or a bucket alone) takes
the source's own name, unless the source ends in "/" and so stands for what is in it.
Any other destination is what the tree will be called, whether it is there or not, so
that the same command goes on where it was cut short.`,
		Example: `  omnibucket cp report.pdf 's3://photos/reports/?region=eu-west-1'
  omnibucket cp --if-absent --cache-control max-age=3600 logo.svg gs://site/logo.svg
  omnibucket cp -r ./public/ file:///srv/site
  pg_dump app | omnibucket cp - 'azblob://backups/app.sql?account=myaccount'`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if f.write, err = a.read(c); err != nil {
				return err
			}
			if c.Flags().Changed("version") {
				f.version = append(f.version, storage.WithVersion(version))
			}
			return p.cp(c.Context(), &f, args[:len(args)-1], args[len(args)-1])
		},
	}
	c.Flags().BoolVarP(&f.recursive, "recursive", "r", false, "copy trees")
	c.Flags().BoolVar(&f.noSync, "no-sync", false, noSyncUsage)
	c.Flags().StringVar(&version, "version", "", "copy this kept `version` of the source")
	a.register(c)
	return c
}

func (p *program) cp(ctx context.Context, f *cpFlags, sources []string, destination string) error {
	dst, err := p.locate(destination)
	switch {
	case err != nil:
		return err
	case f.recursive && (f.write.conditional || f.version != nil):
		return invalid("--if-absent, --if-revision and --version are of one object, and do not fit -r", "")
	case len(sources) > 1 && !f.recursive && !isFolderTarget(dst), len(sources) > 1 && f.recursive && !writtenAsFolder(dst):
		return invalid("several sources need a folder as destination", `a folder's key ends in "/"`)
	}
	return p.each(ctx, sources, func(source string) error {
		src, err := p.locate(source)
		if err != nil {
			return err
		}
		if err := checkEnds(f, src, dst); err != nil {
			return err
		}
		if f.recursive {
			return p.cpTree(ctx, f, src, dst)
		}
		return p.cpOne(ctx, f, src, dst)
	})
}

// checkEnds refuses what cp is not for, and flags that would do nothing.
func checkEnds(f *cpFlags, src, dst location) error {
	switch {
	case src.kind == account || dst.kind == account:
		return invalid("address names no bucket", addressHint)
	case src.kind != inBucket && dst.kind != inBucket:
		return invalid("the source or the destination must be in a bucket", addressHint)
	case dst.kind != inBucket && !f.write.isEmpty():
		return invalid("attributes and conditions are of what is written to a bucket", "")
	case src.kind != inBucket && f.version != nil:
		return invalid("--version is of a source in a bucket", "")
	case f.noSync && dst.kind != localPath:
		return invalid("--no-sync is of files on this machine, and the destination is none", "")
	case f.recursive && (src.kind == stream || dst.kind == stream):
		return invalid("standard input and output are no trees", "")
	}
	return nil
}

// cpOne copies one file or object; where to, if that is a folder, says its name.
func (p *program) cpOne(ctx context.Context, f *cpFlags, src, dst location) error {
	name, err := sourceName(src)
	if err != nil {
		return err
	}
	if isFolderTarget(dst) {
		if dst, err = inFolder(dst, name); err != nil {
			return err
		}
	}
	switch {
	case dst.kind != inBucket:
		return p.cpOut(ctx, f, src, dst)
	case src.kind == inBucket:
		return p.cpBetween(ctx, f, src, dst)
	}
	bucket, err := p.open(ctx, dst)
	if err != nil {
		return err
	}
	if src.kind == localPath {
		_, err = storage.UploadFile(ctx, bucket, dst.key, src.path, f.write.forUpload()...)
		return err
	}
	body, release := p.input(ctx)
	defer release()
	_, err = bucket.Upload(ctx, dst.key, body, f.write.forUpload()...)
	return err
}

// cpOut copies an object to a file or to standard output.
func (p *program) cpOut(ctx context.Context, f *cpFlags, src, dst location) error {
	bucket, err := p.open(ctx, src)
	if err != nil {
		return err
	}
	var opts []storage.DownloadOption
	for _, o := range f.version {
		opts = append(opts, o)
	}
	if f.noSync {
		opts = append(opts, storage.WithNoSync())
	}
	if dst.kind == stream {
		return p.download(ctx, bucket, src.key, opts)
	}
	if info, err := os.Stat(dst.path); err == nil && !info.Mode().IsRegular() {
		// A download refuses a device, but replaces a link to one, such as /dev/stdout.
		return invalid("destination is no regular file", `"-" is standard output`)
	}
	if err := p.makeDirectory(ctx, f, bucket, src.key, filepath.Dir(dst.path)); err != nil {
		return err
	}
	_, err = storage.DownloadFile(ctx, bucket, src.key, dst.path, append(opts, storage.WithConcurrency(rangesAtOnce))...)
	return err
}

// makeDirectory makes the directory for a download if it is missing, and the object
// is there.
func (p *program) makeDirectory(ctx context.Context, f *cpFlags, bucket storage.Attrser, key, dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil // what else is wrong, the download tells
	}
	var opts []storage.AttrsOption
	for _, o := range f.version {
		opts = append(opts, o)
	}
	if _, err := bucket.Attrs(ctx, key, opts...); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o777)
}

func (p *program) cpBetween(ctx context.Context, f *cpFlags, src, dst location) error {
	from, err := p.open(ctx, src)
	if err != nil {
		return err
	}
	to, err := p.open(ctx, dst)
	if err != nil {
		return err
	}
	opts := f.write.forCopy()
	for _, o := range f.version {
		opts = append(opts, o)
	}
	_, err = storage.Copy(ctx, to, dst.key, from, src.key, opts...)
	return err
}

// sourceName is the base name of one file or object; "" of standard input.
func sourceName(src location) (string, error) {
	switch src.kind {
	case stream:
		return "", nil
	case inBucket:
		if src.isFolder() {
			return "", invalid("source is a folder", "-r copies trees")
		}
		return path.Base(src.key), nil
	}
	switch info, err := os.Stat(src.path); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return "", &storage.Error{Code: storage.ObjectNotFound, Key: src.path, Err: err}
	case err == nil && info.IsDir():
		return "", invalid("source is a directory", "-r copies trees")
	}
	return filepath.Base(src.path), nil
}

// inFolder is a name in a folder. The name may come from a key that somebody else
// has chosen: it must not lead a file anywhere else.
func inFolder(dst location, name string) (location, error) {
	switch {
	case name == "":
		return dst, invalid("standard input has no name: the destination needs one", "")
	case dst.kind == inBucket:
		dst.key += name
	case !filepath.IsLocal(name) || filepath.Base(name) != name:
		return dst, invalid("source's name is none that a file can have here", "name the file in the destination")
	default:
		dst.path = filepath.Join(dst.path, name)
	}
	return dst, nil
}

// isFolderTarget reports whether a destination is a folder that the source's own name
// is put into.
func isFolderTarget(dst location) bool {
	return writtenAsFolder(dst) || dst.kind == localPath && isDirectory(dst.path)
}

// writtenAsFolder reports whether a destination says itself that it is a folder.
func writtenAsFolder(dst location) bool {
	switch dst.kind {
	case inBucket:
		return dst.isFolder()
	case localPath:
		return endsAsFolder(dst.path)
	}
	return false
}

// endsAsFolder reports whether a path ends in a separator, or in "." or "..".
func endsAsFolder(path string) bool {
	base := path
	for i := len(path) - 1; i >= 0; i-- {
		if os.IsPathSeparator(path[i]) {
			base = path[i+1:]
			break
		}
	}
	return base == "" || base == "." || base == ".."
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
