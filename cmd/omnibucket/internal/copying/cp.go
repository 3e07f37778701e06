// Package copying has the commands that copy and compare: cp, mv, sync, diff and check.
package copying

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// rangesAtOnce is the number of parallel requests for the download of one large file.
const rangesAtOnce = 8

const noSyncUsage = "do not wait until files are on the disk; a power failure may leave them empty"

const ignoreExistingUsage = "skip files that the destination has, although they differ"

// cpFlags are the flags of cp.
type cpFlags struct {
	recursive   bool
	noSync      bool
	onlyMissing bool // true if --ignore-existing was given
	move        bool // true if the command is mv
	literal     bool
	filter      program.FilterFlags
	write       program.WriteOptions
	version     []storage.VersionOption // version of the source, or nil
}

// Cp returns the command cp, which copies files and objects between directories and buckets.
func Cp(p *program.Program) *cobra.Command {
	var f cpFlags
	var a program.Attributes
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
` + program.WildcardHelp,
		Example: `  omnibucket cp report.pdf 's3://photos/reports/?region=eu-west-1'
  omnibucket cp --if-absent --cache-control max-age=3600 logo.svg gs://site/logo.svg
  omnibucket cp -r ./public/ file:///srv/site
  omnibucket cp 'photos:2026/*.jpg' ./2026/
  pg_dump app | omnibucket cp - 'azblob://backups/app.sql?account=myaccount'`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if f.write, err = a.Read(c); err != nil {
				return err
			}
			if c.Flags().Changed("version") {
				f.version = append(f.version, storage.WithVersion(version))
			}
			return cp(c.Context(), p, &f, args[:len(args)-1], args[len(args)-1])
		},
	}

	f.register(c)
	c.Flags().StringVar(&version, "version", "", "copy this `version` of the source")
	a.Register(c)
	return c
}

// register adds the flags that cp and mv share to a command.
func (f *cpFlags) register(c *cobra.Command) {
	action := "copy trees"
	if f.move {
		action = "move trees"
	}
	c.Flags().BoolVarP(&f.recursive, "recursive", "r", false, action)
	c.Flags().BoolVar(&f.noSync, "no-sync", false, noSyncUsage)
	c.Flags().BoolVar(&f.onlyMissing, "ignore-existing", false, ignoreExistingUsage)
	program.LiteralFlag(c, &f.literal)
	f.filter.Register(c)
}

// cp copies one or more sources to a destination or, with f.move, moves them.
func cp(ctx context.Context, p *program.Program, f *cpFlags, args []string, destination string) error {
	dst, err := p.Stores.Locate(destination)
	if err != nil {
		return err
	}

	if f.recursive && (f.write.Conditional || f.version != nil) {
		return argument.Invalid("--if-absent, --if-revision and --version must not be used with -r", "")
	}

	isFolder := location.IsFolderTarget(dst)
	if f.recursive {
		// An existing directory may be an older copy of the tree, so only a slash at the end makes it a folder.
		isFolder = location.WrittenAsFolder(dst)
	}
	if len(args) > 1 && !isFolder {
		return argument.Invalid("destination of several sources must be a folder", `end the destination in "/"`)
	}

	sources := locateSources(p, f, args)
	if len(sources) > 1 {
		if err := checkNames(sources); err != nil {
			return err
		}
		if f.move {
			if err := checkOneFolder(sources); err != nil {
				return err
			}
		}
	}

	// Copy trees and matches of wildcards one after another, because each of these copies is parallel.
	hasWildcard := slices.ContainsFunc(sources, func(s cpSource) bool { return s.hasWildcard })
	if f.recursive || hasWildcard || len(sources) == 1 {
		err := program.Each(ctx, p, sources, func(source cpSource) error { return copySource(ctx, p, f, source, dst) })
		p.SummarizeDone("transferred", len(sources), err)
		return err
	}

	return copyAtOnce(ctx, p, f, sources, dst)
}

// copyAtOnce copies several files or objects in parallel, with one progress bar.
func copyAtOnce(
	ctx context.Context, p *program.Program, f *cpFlags, sources []cpSource, dst location.Location,
) error {
	p.Together = p.StartTogether(len(sources))
	err := program.EachAtOnce(ctx, p, sources, func(ctx context.Context, source cpSource) func() error {
		err := copySource(ctx, p, f, source, dst)
		return func() error { return err }
	})

	// The bar must end before the summary is printed.
	p.Together.End()
	p.SummarizeDone("transferred", len(sources), err)
	return err
}

// copySource copies what one source names: a file, an object, a tree, or all that matches wildcards.
func copySource(ctx context.Context, p *program.Program, f *cpFlags, source cpSource, dst location.Location) error {
	if source.err != nil {
		return source.err
	}
	if err := checkEnds(f, source, dst); err != nil {
		return err
	}

	if source.hasWildcard {
		return cpMatching(ctx, p, f, source.location, dst)
	}
	if f.recursive {
		return cpTree(ctx, p, f, source.location, dst)
	}
	if f.filter.Given() {
		return argument.Invalid("flags that select files need -r or wildcards", "")
	}
	return cpOne(ctx, p, f, source.location, dst)
}

// cpOne copies or moves one file or object. A destination that is a folder gets it under the name of the source.
func cpOne(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	name, err := f.sourceName(src)
	if err != nil {
		return err
	}

	if location.IsFolderTarget(dst) {
		if dst, err = location.InFolder(dst, name); err != nil {
			return err
		}
	}

	if f.onlyMissing {
		return cpIfMissing(ctx, p, f, src, dst)
	}
	err = cpOrMvTo(ctx, p, f, src, dst)
	return f.addFolderHint(ctx, p, src, err)
}

// cpIfMissing copies or moves one file or object with --ignore-existing, which skips it if the destination exists.
func cpIfMissing(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	flags, exists, err := f.ifMissing(ctx, p, dst)
	if err != nil || exists {
		return err
	}

	err = cpOrMvTo(ctx, p, &flags, src, dst)
	if errors.Is(err, fs.ErrExist) {
		// Another program has written the destination since ifMissing looked.
		return nil
	}
	return f.addFolderHint(ctx, p, src, err)
}

// cpOrMvTo copies or moves one file or object to a destination that is not a folder.
func cpOrMvTo(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	if f.move {
		return mvOne(ctx, p, f, src, dst, func() error { return cpTo(ctx, p, f, src, dst) })
	}
	return cpTo(ctx, p, f, src, dst)
}

// ifMissing reports whether the destination of a copy with --ignore-existing exists. If the store has conditional
// writes, the returned flags make the copy fail if another program stores the destination meanwhile.
func (f cpFlags) ifMissing(
	ctx context.Context, p *program.Program, dst location.Location,
) (flags cpFlags, exists bool, err error) {
	if dst.Kind == location.LocalPath {
		// If Lstat fails because the path cannot be used, the write will fail, too.
		_, err := os.Lstat(dst.Path)
		return f, err == nil, nil
	}
	if dst.Kind != location.InBucket {
		return f, false, nil
	}

	bucket, err := p.Stores.Open(ctx, dst)
	if err != nil {
		return f, false, err
	}

	flags = f
	if !f.write.Conditional && storage.Supports(bucket, storage.ConditionalCreate) {
		flags.write.Attributes = program.With(f.write.Attributes, []storage.WriteOption{storage.IfAbsent()})
	}
	exists, err = bucket.Exists(ctx, dst.Key)
	return flags, exists, err
}

// cpTo copies one file, object or standard input to a destination that is not a folder.
func cpTo(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	if src.Kind == location.LocalPath && dst.Kind == location.LocalPath {
		return cpFile(ctx, p, f, src, dst)
	}

	if dst.Kind != location.InBucket {
		return cpOut(ctx, p, f, src, dst)
	}
	if src.Kind == location.InBucket {
		return cpBetween(ctx, p, f, src, dst)
	}
	return cpIn(ctx, p, f, src, dst)
}

// cpIn copies a file or standard input to an object.
func cpIn(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	bucket, err := p.Stores.Open(ctx, dst)
	if err != nil {
		return err
	}

	if src.Kind == location.LocalPath {
		return transferOne(ctx, p, f, "uploaded", src, dst, func(moveOpts []storage.TransferOption) (*storage.Attrs, error) {
			return p.UploadPath(ctx, bucket, dst.Key, src.Path, program.With(f.write.ForUpload(), moveOpts))
		})
	}

	// The source is standard input, for which a dry run must not wait.
	return transferOne(ctx, p, f, "uploaded", src, dst, func(moveOpts []storage.TransferOption) (*storage.Attrs, error) {
		opts := program.With(f.write.ForUpload(), moveOpts)
		if p.Global.DryRun {
			return bucket.Upload(ctx, dst.Key, strings.NewReader(""), opts...)
		}
		body, release := p.Input(ctx)
		defer release()
		return bucket.Upload(ctx, dst.Key, body, opts...)
	})
}

// cpOut copies an object to a file or to standard output.
func cpOut(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	bucket, err := p.Stores.Open(ctx, src)
	if err != nil {
		return err
	}

	opts := program.With[storage.DownloadOption](nil, f.version)
	if f.noSync {
		opts = append(opts, storage.WithNoSync())
	}
	if dst.Kind == location.Stream {
		return p.Download(ctx, bucket, src.Key, opts)
	}

	if err := checkLocalDestination(dst); err != nil {
		return err
	}
	return transferOne(ctx, p, f, "downloaded", src, dst, func(moveOpts []storage.TransferOption) (*storage.Attrs, error) {
		if err := makeDirectory(ctx, p, f, bucket, src.Key, filepath.Dir(dst.Path)); err != nil {
			return nil, err
		}
		fileOpts := program.With(append(opts, storage.WithConcurrency(rangesAtOnce)), moveOpts)
		return storage.DownloadFile(ctx, bucket, src.Key, dst.Path, fileOpts...)
	})
}

// checkLocalDestination refuses a destination that exists but is not a regular file, or that lies below a file.
func checkLocalDestination(dst location.Location) error {
	// A download would replace a link through /proc, such as /dev/stdout, and not write to the device.
	if target, err := os.Readlink(dst.Path); err == nil && strings.HasPrefix(target, "/proc/") {
		return errNotRegular
	}
	if info, err := os.Stat(dst.Path); err == nil && !info.Mode().IsRegular() {
		return errNotRegular
	}
	return checkDirectory(filepath.Dir(dst.Path))
}

// checkDirectory refuses a directory that cannot exist, because it or one of its parents is a file.
func checkDirectory(dir string) error {
	for {
		info, err := os.Stat(dir)
		parent := filepath.Dir(dir)
		if err == nil && !info.IsDir() {
			return argument.Invalid("destination must be in a directory, and "+console.Printable(dir)+" is none", "")
		}
		if err == nil || parent == dir {
			// The write will report any other problem, such as missing permissions.
			return nil
		}
		dir = parent
	}
}

var errNotRegular = argument.Invalid(
	"destination must be a regular file",
	`for standard output, use "-" as the destination`,
)

// makeDirectory creates the directory for a download if it is missing, but only if the object exists.
func makeDirectory(
	ctx context.Context, p *program.Program, f *cpFlags, bucket storage.AttrsReader, key, dir string,
) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		// The download reports any other error.
		return nil
	}

	if _, err := bucket.Attrs(ctx, key, program.With[storage.AttrsOption](nil, f.version)...); err != nil {
		return err
	}
	return makeDirectories(dir, !f.noSync)
}

// cpBetween copies an object to another key, in the same bucket or in another one.
func cpBetween(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	srcBucket, err := p.Stores.Open(ctx, src)
	if err != nil {
		return err
	}
	dstBucket, err := p.Stores.Open(ctx, dst)
	if err != nil {
		return err
	}

	opts := program.With(f.write.ForCopy(), f.version)
	return transferOne(ctx, p, f, "copied", src, dst, func(moveOpts []storage.TransferOption) (*storage.Attrs, error) {
		return storage.Copy(ctx, dstBucket, dst.Key, srcBucket, src.Key, program.With(opts, moveOpts)...)
	})
}
