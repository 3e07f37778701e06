package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

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

func (p *program) cp(ctx context.Context, f *cpFlags, sources []string, destination string) error {
	dst, err := p.locate(destination)
	switch {
	case err != nil:
		return err
	case f.recursive && (f.write.conditional || f.version != nil):
		return invalid("--if-absent, --if-revision and --version must not be used with -r", "")
	case len(sources) > 1 && !f.recursive && !isFolderTarget(dst), len(sources) > 1 && f.recursive && !writtenAsFolder(dst):
		return invalid("destination of several sources must be a folder", `end the destination in "/"`)
	}
	if len(sources) > 1 {
		err := p.checkNames(f, sources)
		if err == nil && f.move {
			err = p.checkContents(f, sources)
		}
		if err != nil {
			return err
		}
	}
	if len(sources) == 1 || f.recursive || p.anyWild(f, sources) { // jobs copy in parallel
		return p.each(ctx, sources, func(source string) error { return p.cpSource(ctx, f, source, dst) })
	}
	p.together = p.startTogether(len(sources))
	defer p.together.end()
	return p.eachAtOnce(ctx, sources, func(ctx context.Context, source string) func() error {
		err := p.cpSource(ctx, f, source, dst)
		return func() error { return err }
	})
}

// cpSource copies what one source names.
func (p *program) cpSource(ctx context.Context, f *cpFlags, source string, dst location) error {
	src, err := p.locate(source)
	if err != nil {
		return err
	}
	if err := checkEnds(f, src, dst); err != nil {
		return err
	}
	switch {
	case src.isWild() && !f.literal:
		return p.cpMatching(ctx, f, src, dst)
	case f.recursive:
		return p.cpTree(ctx, f, src, dst)
	case f.filter.given():
		return invalid("flags that select files need -r or wildcards", "")
	}
	return p.cpOne(ctx, f, src, dst)
}

// anyWild reports whether a source has wildcards.
func (p *program) anyWild(f *cpFlags, sources []string) bool {
	return slices.ContainsFunc(sources, func(source string) bool {
		src, err := p.locate(source)
		return err == nil && src.isWild() && !f.literal
	})
}

// checkNames refuses sources with one name: one would replace another at the destination, of which
// mv would leave nothing.
func (p *program) checkNames(f *cpFlags, sources []string) error {
	named := map[string]bool{}
	for _, source := range sources {
		src, err := p.locate(source)
		if err != nil || src.isWild() && !f.literal { // its own copy reports the error
			continue
		}
		name := ""
		switch {
		case src.kind == inBucket && !src.isFolder():
			name = path.Base(src.key)
		case src.kind == localPath && !endsAsFolder(src.path):
			name = filepath.Base(src.path)
		}
		if name != "" && named[name] {
			return invalid("sources must not have one name, "+printable(name)+": one would replace the other", "copy them one after the other, to different destinations")
		}
		named[name] = true
	}
	return nil
}

// checkContents refuses to move what is in several folders into one: of two files with one name,
// nothing could tell that both were there before, so that one would be lost. Names that are all
// relative to one folder are different.
func (p *program) checkContents(f *cpFlags, sources []string) error {
	folders, contents := map[string]bool{}, false
	for _, source := range sources {
		src, err := p.locate(source)
		if err != nil { // its own move reports the error
			continue
		}
		switch {
		case src.isWild() && !f.literal:
			src, _ = wildFolder(src)
			contents = true
		case treeName(src) == "":
			contents = true
		case src.kind == inBucket:
			src.key = strings.TrimSuffix(src.key, path.Base(src.key))
		case src.kind == localPath:
			src.path = filepath.Dir(src.path)
		}
		if src.kind == localPath {
			src.path = filepath.Clean(src.path)
		}
		folders[src.path+src.addressWithKey()] = true
	}
	if contents && len(folders) > 1 {
		return invalid("sources must be in one folder if one of them has wildcards or ends in \"/\": a file would replace another of its name", "move them one after the other, to different destinations")
	}
	return nil
}

// checkEnds refuses sources and destinations that cp does not support, and flags
// without effect.
func checkEnds(f *cpFlags, src, dst location) error {
	switch {
	case src.kind == account || dst.kind == account:
		return invalid("address must have a bucket", addressHint)
	case src.kind != inBucket && dst.kind != inBucket && (src.kind == stream || dst.kind == stream):
		return invalid("source or destination must be in a bucket", addressHint)
	case dst.kind != inBucket && !f.write.isEmpty():
		return invalid("flags for attributes and conditions need a destination in a bucket", "")
	case src.kind != inBucket && f.version != nil:
		return invalid("--version needs a source in a bucket", "")
	case f.noSync && dst.kind != localPath:
		return invalid("--no-sync needs a destination on this machine", "")
	case f.recursive && (src.kind == stream || dst.kind == stream):
		return invalid("-r must not be used with standard input or output", "")
	case src.isWild() && !f.literal && (f.write.conditional || f.version != nil):
		return invalid("--if-absent, --if-revision and --version must not be used with wildcards", "use --literal to take wildcards literally")
	case f.move && (src.kind == stream || dst.kind == stream):
		return invalid("source and destination must not be standard input or output", "")
	}
	return nil
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
	if p.global.dryRun && f.write.ifAbsent {
		there, err := p.exists(ctx, dst)
		if err == nil && there {
			err = &storage.Error{Code: storage.PreconditionFailed, Key: dst.key}
		}
		if err != nil {
			return err
		}
	}
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
		return p.one(ctx, "uploaded", src, dst, func(moving []storage.TransferOption) (*storage.Attrs, error) {
			return uploadPath(ctx, bucket, dst.key, src.path, extended(f.write.forUpload(), moving))
		})
	}
	return p.one(ctx, "uploaded", src, dst, func(moving []storage.TransferOption) (*storage.Attrs, error) {
		body, release := p.input(ctx)
		defer release()
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
	if err := checkRegular(dst); err != nil {
		return err
	}
	return p.one(ctx, "downloaded", src, dst, func(moving []storage.TransferOption) (*storage.Attrs, error) {
		if err := p.makeDirectory(ctx, f, bucket, src.key, filepath.Dir(dst.path)); err != nil {
			return nil, err
		}
		opts := extended(append(opts, storage.WithConcurrency(rangesAtOnce)), moving)
		return storage.DownloadFile(ctx, bucket, src.key, dst.path, opts...)
	})
}

// checkRegular refuses a destination that is not a file. A download refuses a device, but would
// replace a link to one, such as /dev/stdout, which leads through /proc to any kind of file.
func checkRegular(dst location) error {
	if to, err := os.Readlink(dst.path); err == nil && strings.HasPrefix(to, "/proc/") {
		return errNotRegular
	}
	if info, err := os.Stat(dst.path); err == nil && !info.Mode().IsRegular() {
		return errNotRegular
	}
	return nil
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
	return p.one(ctx, "copied", src, dst, func(moving []storage.TransferOption) (*storage.Attrs, error) {
		return storage.Copy(ctx, to, dst.key, from, src.key, extended(opts, moving)...)
	})
}

// sourceName returns the base name of one file or object, or "" for standard input.
func sourceName(src location) (string, error) {
	switch src.kind {
	case stream:
		return "", nil
	case inBucket:
		if src.isFolder() {
			return "", invalid("source must not be a folder", "use -r to copy a tree")
		}
		return path.Base(src.key), nil
	}
	switch info, err := os.Stat(src.path); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return "", &storage.Error{Code: storage.ObjectNotFound, Key: src.path, Err: err}
	case err == nil && info.IsDir():
		return "", invalid("source must not be a directory", "use -r to copy a tree")
	}
	return filepath.Base(src.path), nil
}

// inFolder returns the location of a name in a folder. The name may be from a key
// that somebody else chose, so it must not lead elsewhere.
func inFolder(dst location, name string) (location, error) {
	switch {
	case name == "":
		return dst, invalid("destination of standard input must have a file name or key", "")
	case dst.kind == inBucket:
		dst.key += name
	case !filepath.IsLocal(name) || filepath.Base(name) != name:
		return dst, invalid("source must have a name that is valid for a file on this system", "add a file name to the destination")
	default:
		dst.path = filepath.Join(dst.path, name)
	}
	return dst, nil
}

// isFolderTarget reports whether a destination is a folder, to which the source's
// name is added.
func isFolderTarget(dst location) bool {
	return writtenAsFolder(dst) || dst.kind == localPath && isDirectory(dst.path)
}

// writtenAsFolder reports whether the text of a destination shows that it is a
// folder.
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

// isDots reports whether a path ends in "." or "..", which do not show what directory they are.
func isDots(path string) bool {
	path = strings.TrimRightFunc(path, func(r rune) bool { return r < utf8.RuneSelf && os.IsPathSeparator(byte(r)) })
	return path != "" && endsAsFolder(path)
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
