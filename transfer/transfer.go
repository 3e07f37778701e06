// Package transfer moves whole trees between directories and buckets of any
// provider, and keeps buckets tidy.
//
//	report, err := transfer.Upload(ctx, bucket, "./public")
//	report, err := transfer.Sync(ctx, transfer.Bucket(backup), transfer.Bucket(photos), transfer.WithDelete())
//	fmt.Println(report)
//
// What is the same on both ends is passed over, so that a job that was killed
// or that had failures is begun again with the same call and does only what is
// left; with WithResume also of a large file that was on its way. A file that fails
// is counted, and the job goes on.
//
// # What is the same
//
// Never two files of different size. Of equal size, where one end at least is a
// bucket:
//
//   - Directory to bucket: an upload keeps the file's time of modification in the
//     object's metadata (mtime, in seconds, as rclone does). An object that was
//     written 15 minutes or more after the file was changed holds it, and the
//     listing tells so without a request for each file: no clock that a store
//     accepts is further off. In doubt the object is asked: the same mtime or the
//     same CRC32C is the same file.
//   - Bucket to directory: a download gives the file that time again, or the
//     object's own where it has none. A file of another time is the same where
//     the CRC32C is.
//   - Bucket to bucket: a copy that is 15 minutes or more younger than its source
//     is the same, one that is as much older is not; in between, CRC32C and
//     attributes decide.
//   - Directory to directory: the same time.
//   - An object's time that is more than 15 minutes ahead says nothing, because a wrong
//     clock has written it: mtime, CRC32C and attributes decide.
//
// What that does not notice: a file that was replaced by another of the same size
// and an older time, or written anew with the same size and a time that a build
// sets to the same always; and, 15 minutes after the file was changed or later, an
// object that another writer has replaced with one of the same size. They are the
// same for ever then. WithChecksum compares the bytes' CRC32C instead, always.
// Attributes, or permissions, that alone have changed are not brought over.
//
// # Permissions
//
// From directory to directory, files and the directories below the destination
// are made with the permissions of those in the source, less the umask. Such
// directories can always be entered and written by their owner, and on Windows no
// file is made read-only: it could not be replaced. The set-user-ID bit and its
// like, owners and access lists stay behind. A bucket keeps no
// permissions: a download makes what any tool makes, 0666 less the umask, and a
// file that it replaces keeps its own.
//
// # Names
//
// Keys are paths with slashes, below the directory or in the bucket
// (storage.Prefixed makes an end of a part of one). A file whose name is no
// valid key fails with InvalidArgument, as does an object whose key a directory
// cannot hold, and one whose key needs a directory where there is a file: of a
// and a/b in a bucket, a/b fails. A link in the destination is not followed: what
// would be written below it fails too. A directory .omnibucket, where a local bucket
// keeps its signing key, is never read and never written. The directory of
// WithResume is left out as well.
//
// # Patterns
//
// [WithInclude] and [WithExclude] take patterns of keys, as in a .gitignore file:
//
//   - A pattern without a slash, or with one only at its end, matches at any depth:
//     "*.jpg" matches a.jpg and 2026/a.jpg.
//   - Any other pattern matches from the top: "2026/*.jpg" matches 2026/a.jpg, but not
//     old/2026/a.jpg. A slash at its start does nothing else: "/*.jpg" matches a.jpg
//     only.
//   - In one segment, * stands for any characters, ? for one, [a-z] for one of a class,
//     and {jpg,png} for one of several texts. A backslash takes the next character as
//     it is. ** stands for any number of segments: "2026/**/*.jpg".
//   - A slash at the end, or /** there, stands for everything in a directory: "2026/"
//     matches in any directory 2026, "/2026/" and "2026/**" in the one at the top. "**/"
//     matches in any directory.
//   - To WithExclude, a pattern also stands for everything in a directory that it
//     matches: ".git" leaves out files and directories of that name, with their content.
//
// # Memory
//
// Both ends are walked in step, in the order of their keys, and nothing is kept
// of what is done: memory does not grow with the number of files, but for the
// names of one directory at a time. Parts and ranges of large files count
// against the buckets' storage.Memory.
package transfer

import (
	"context"

	"github.com/omnibucket/storage"
)

// A Source is what a bucket has to allow to be copied from.
type Source interface {
	storage.Downloader
	storage.Lister
	storage.Attrser
}

// Upload brings the files under dir into b: Sync(ctx, Bucket(b), Dir(dir)).
func Upload(ctx context.Context, b storage.ReadWriter, dir string, opts ...Option) (*Report, error) {
	return run(ctx, "Upload", Bucket(b), Dir(dir), opts)
}

// Download brings the objects of b into the directory dir, which is made where
// it is missing. A file appears whole or not at all.
func Download(ctx context.Context, b Source, dir string, opts ...Option) (*Report, error) {
	return run(ctx, "Download", Dir(dir), End{kind: bucketEnd, from: b}, opts)
}

// Copy brings the objects of src into dst, inside the provider where it can:
// each as storage.Copy does.
func Copy(ctx context.Context, dst storage.ReadWriter, src Source, opts ...Option) (*Report, error) {
	return run(ctx, "Copy", Bucket(dst), End{kind: bucketEnd, from: src}, opts)
}

// Sync brings to dst what is in src and not the same there, and with WithDelete
// removes from dst what is not in src.
//
// The error is nil if, and only if, all of that is done: it joins what ended the
// job early (an option or an end that is no good, InvalidArgument; a listing that
// failed; Canceled and DeadlineExceeded) and each failure, up to 1,000, as
// *storage.Error with its Key. The Report is there in any case.
//
// If one end lies in the other, Sync fails with InvalidArgument, because WithDelete
// would remove the source. It recognises this for directories and local buckets by
// their paths without symbolic links, and for other buckets as [storage.Overlap] does.
// To copy a bucket or a directory into a part of that bucket, or back, leave out that
// part with [WithExclude].
func Sync(ctx context.Context, dst, src End, opts ...Option) (*Report, error) {
	return run(ctx, "Sync", dst, src, opts)
}

// An End is where a Sync reads from or writes to.
type End struct {
	kind endKind
	path string
	from Source
	to   storage.ReadWriter
}

type endKind int

const (
	noEnd endKind = iota
	dirEnd
	bucketEnd
)

// Dir is a directory of this machine: as a source it has to be there; as a
// destination it is made where it is missing.
func Dir(path string) End { return End{kind: dirEnd, path: path} }

// Bucket is a bucket or, through storage.Prefixed, what lies under a prefix.
func Bucket(b storage.ReadWriter) End { return End{kind: bucketEnd, from: b, to: b} }
