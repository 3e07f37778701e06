package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
)

// rangesAtOnce is the number of parallel requests for the download of one large file.
const rangesAtOnce = 8

const noSyncUsage = "do not wait until files are on the disk; a power failure may leave them empty"

const ignoreExistingUsage = "skip files that the destination has, although they differ"

// cpFlags are the flags of cp.
type cpFlags struct {
	recursive bool
	noSync    bool
	missing   bool // --ignore-existing
	move      bool // mv
	literal   bool
	filter    filterFlags
	write     writeOptions
	version   []storage.VersionOption // of the source, or nil
}

func (p *program) cpCommand() *cobra.Command {
	var f cpFlags
	var a attributes
	var version string
	c := &cobra.Command{
		Use:   "cp [flags] SOURCE... DESTINATION",
		Short: "Copy files and objects, or trees with -r, to, from and between buckets",
		Long: `Copies a file to a bucket, an object to a file, an object to another bucket, or a file to
another path. A copy inside one provider is made by the provider if possible. If the destination ends
in "/" or is an existing directory, the source's name is added to it. The directory of
the destination is created if necessary. "-" is standard input or output.

With -r, copies trees, and skips files that are already the same. A destination is a
folder if it ends in "/", or is ".", ".." or a bucket without a key. The source's name
is added to a folder, unless the source ends in "/": then only its content is copied.
Any other destination is the name of the copied tree, whether it exists or not, so that
repeating the command continues an interrupted copy.

Objects that match wildcards are copied into a folder, under their keys after the folder
in which the wildcards begin.
` + wildcardHelp,
		Example: `  omnibucket cp report.pdf 's3://photos/reports/?region=eu-west-1'
  omnibucket cp --if-absent --cache-control max-age=3600 logo.svg gs://site/logo.svg
  omnibucket cp -r ./public/ file:///srv/site
  omnibucket cp 'photos:2026/*.jpg' ./2026/
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
	f.register(c)
	c.Flags().StringVar(&version, "version", "", "copy this `version` of the source")
	a.register(c)
	return c
}

// register registers the flags of cp and mv.
func (f *cpFlags) register(c *cobra.Command) {
	what := "copy trees"
	if f.move {
		what = "move trees"
	}
	c.Flags().BoolVarP(&f.recursive, "recursive", "r", false, what)
	c.Flags().BoolVar(&f.noSync, "no-sync", false, noSyncUsage)
	c.Flags().BoolVar(&f.missing, "ignore-existing", false, ignoreExistingUsage)
	literalFlag(c, &f.literal)
	f.filter.register(c)
}

func (p *program) cp(ctx context.Context, f *cpFlags, args []string, destination string) error {
	dst, err := p.locate(destination)
	switch {
	case err != nil:
		return err
	case f.recursive && (f.write.conditional || f.version != nil):
		return invalid("--if-absent, --if-revision and --version must not be used with -r", "")
	case len(args) > 1 && !f.recursive && !isFolderTarget(dst), len(args) > 1 && f.recursive && !writtenAsFolder(dst):
		return invalid("destination of several sources must be a folder", `end the destination in "/"`)
	}
	sources := p.locateSources(f, args)
	if len(sources) > 1 {
		err := checkNames(sources)
		if err == nil && f.move {
			err = checkContents(sources)
		}
		if err != nil {
			return err
		}
	}
	if len(sources) == 1 || f.recursive || slices.ContainsFunc(sources, func(s cpSource) bool { return s.wild }) { // jobs copy in parallel
		return each(ctx, p, sources, func(source cpSource) error { return p.copySource(ctx, f, source, dst) })
	}
	p.together = p.startTogether(len(sources))
	defer p.together.end()
	return eachAtOnce(ctx, p, sources, func(ctx context.Context, source cpSource) func() error {
		err := p.copySource(ctx, f, source, dst)
		return func() error { return err }
	})
}

// copySource copies what one source names.
func (p *program) copySource(ctx context.Context, f *cpFlags, source cpSource, dst location) error {
	if source.err != nil {
		return source.err
	}
	if err := checkEnds(f, source, dst); err != nil {
		return err
	}
	switch {
	case source.wild:
		return p.cpMatching(ctx, f, source.at, dst)
	case f.recursive:
		return p.cpTree(ctx, f, source.at, dst)
	case f.filter.given():
		return invalid("flags that select files need -r or wildcards", "")
	}
	return p.cpOne(ctx, f, source.at, dst)
}

// cpOne copies one file or object. If the destination is a folder, the source's name
// is added to it.
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
	if f.missing {
		if there, err := p.exists(ctx, dst); there || err != nil {
			return err
		}
	}
	if f.move {
		return p.mvOne(ctx, src, dst, func() error { return p.cpTo(ctx, f, src, dst) })
	}
	return p.cpTo(ctx, f, src, dst)
}

// exists reports whether a destination that is not a folder exists.
func (p *program) exists(ctx context.Context, dst location) (bool, error) {
	if dst.kind == localPath {
		_, err := os.Lstat(dst.path)
		return err == nil, nil // writing returns any other error
	}
	if dst.kind != inBucket {
		return false, nil
	}
	bucket, err := p.open(ctx, dst)
	if err != nil {
		return false, err
	}
	return bucket.Exists(ctx, dst.key)
}

// cpTo copies one file or object to a destination that is not a folder.
func (p *program) cpTo(ctx context.Context, f *cpFlags, src, dst location) error {
	switch {
	case src.kind == localPath && dst.kind == localPath:
		return p.cpFile(ctx, f, src, dst)
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
		return p.one(ctx, f, "uploaded", src, dst, func(moving []storage.TransferOption) (*storage.Attrs, error) {
			return p.uploadPath(ctx, bucket, dst.key, src.path, extended(f.write.forUpload(), moving))
		})
	}
	return p.one(ctx, f, "uploaded", src, dst, func(moving []storage.TransferOption) (*storage.Attrs, error) {
		var body io.Reader = strings.NewReader("")
		if !p.global.dryRun { // which must not wait for input
			var release func()
			body, release = p.input(ctx)
			defer release()
		}
		return bucket.Upload(ctx, dst.key, body, extended(f.write.forUpload(), moving)...)
	})
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
	if err := checkFile(dst); err != nil {
		return err
	}
	return p.one(ctx, f, "downloaded", src, dst, func(moving []storage.TransferOption) (*storage.Attrs, error) {
		if err := p.makeDirectory(ctx, f, bucket, src.key, filepath.Dir(dst.path)); err != nil {
			return nil, err
		}
		opts := extended(append(opts, storage.WithConcurrency(rangesAtOnce)), moving)
		return storage.DownloadFile(ctx, bucket, src.key, dst.path, opts...)
	})
}

// checkFile refuses a destination that is not a file, or that is below a file. A download refuses a
// device, but would replace a link to one, such as /dev/stdout, which leads through /proc to any
// kind of file.
func checkFile(dst location) error {
	if to, err := os.Readlink(dst.path); err == nil && strings.HasPrefix(to, "/proc/") {
		return errNotRegular
	}
	if info, err := os.Stat(dst.path); err == nil && !info.Mode().IsRegular() {
		return errNotRegular
	}
	return checkDirectory(filepath.Dir(dst.path))
}

// checkDirectory refuses a directory that cannot be made, because a file has its name or that of a
// directory above it.
func checkDirectory(dir string) error {
	for {
		info, err := os.Stat(dir)
		above := filepath.Dir(dir)
		switch {
		case err == nil && !info.IsDir():
			return invalid("destination must be in a directory, and "+printable(dir)+" is none", "")
		case err == nil, above == dir:
			return nil // writing returns any other error
		}
		dir = above
	}
}

var errNotRegular = invalid("destination must be a regular file", `for standard output, use "-" as the destination`)

// makeDirectory creates the directory for a download if it does not exist and the
// object does.
func (p *program) makeDirectory(ctx context.Context, f *cpFlags, bucket storage.AttrsReader, key, dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil // the download returns any other error
	}
	var opts []storage.AttrsOption
	for _, o := range f.version {
		opts = append(opts, o)
	}
	if _, err := bucket.Attrs(ctx, key, opts...); err != nil {
		return err
	}
	return makeDirectories(dir, !f.noSync)
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
	return p.one(ctx, f, "copied", src, dst, func(moving []storage.TransferOption) (*storage.Attrs, error) {
		return storage.Copy(ctx, to, dst.key, from, src.key, extended(opts, moving)...)
	})
}
