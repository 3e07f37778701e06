// Package transfer copies, moves and compares whole trees in directories and buckets of any
// provider. It also removes objects that have expired, and brings back old versions.
//
//	report, err := transfer.Upload(ctx, bucket, "./public")
//	report, err := transfer.Sync(ctx, transfer.Bucket(backup), transfer.Bucket(photos), transfer.WithDelete())
//	fmt.Println(report)
//
// A job skips files that are the same on both ends. To continue a job that was killed
// or had failures, make the same call again: it does only the rest. It also continues large
// downloads and, with [WithResume], large uploads. If a file fails, the job counts the failure and
// continues.
//
// # Comparison
//
// Two files of different size are never the same. If sizes are equal:
//
//   - Directory to bucket: an upload keeps the file's modification time in the
//     object's metadata (mtime, in seconds, as rclone does). An object that was
//     written at least 15 minutes after the file was changed is the same. The listing
//     shows this without a request for each file. No store accepts a clock that
//     differs by more than 15 minutes. Otherwise an object is the same if its ETag is the
//     MD5 of a file of up to 256 KiB, as it mostly is on S3; that needs no request,
//     either. Then the object's attributes decide: it is the same if its mtime or its
//     CRC32C is.
//   - Bucket to directory: a download gives the file the object's mtime or, if it
//     has none, the time at which the object was written. A file with another time is
//     the same if its CRC32C is.
//   - Bucket to bucket: a copy that is at least 15 minutes younger than its source
//     is the same. One that is at least 15 minutes older is not. In between, CRC32C
//     and attributes decide.
//   - Directory to directory: files with the same modification time are the same.
//   - A time of an object that is more than 15 minutes in the future was written by
//     a wrong clock and is not used. The mtime, CRC32C and attributes decide.
//
// Some changes are not noticed. One is a file replaced by another of the same size
// and an older time. Another is a file rewritten with the same size and the constant
// time that some builds set. The third is an object that another writer replaced with
// one of the same size, if that happened at least 15 minutes after the file was
// changed. The last is an object that was replaced by one of the same size within a
// second, because S3 lists times in whole seconds. Such files stay different.
// [WithChecksum] always compares the CRC32C instead. A change of attributes or permissions only is not transferred.
//
// # Permissions
//
// From directory to directory, new files and directories have the permissions of
// those in the source, less the umask. The owner can always enter and write such
// directories. On Windows no file becomes read-only, because it could not be
// replaced. Owners, access lists, and bits such as set-user-ID are not copied. A
// bucket keeps no permissions: a download creates files with 0666 less the umask, and
// a replaced file keeps its own.
//
// # Names
//
// Keys are paths with slashes, relative to the directory or the bucket. To use a part of a bucket
// as an end, use [storage.Prefixed]. A file fails with InvalidArgument if its name is not a valid
// key. An object fails with InvalidArgument if a directory cannot hold its key, or if the key needs
// a directory in place of a file: if a bucket has a and a/b, a/b fails. A symbolic link in the
// destination is not followed, and files below it fail, too. A directory .omnibucket, in which a
// local bucket keeps its signing key, is never read or written. The directory of [WithResume] is
// skipped, too, and so are temporary files: their names are .omnibucket-, 16 hexadecimal digits
// and, for some, a hyphen and a number. A move gives a file a name that begins with
// .omnibucket-removed- just before it removes the file.
//
// # Temporary files
//
// A file gets its name when it is complete. Until then it has a temporary one, in the same
// directory, and there is a small file that marks it, which the process holds locked. A process
// that is killed leaves both. The next job into the directory continues a large file, or removes
// it, unless its process is alive. A file that is only named like a temporary one stays. On a file
// system without locks, a job treats a process as alive until its files are a day old.
//
// # Patterns
//
// [WithInclude] and [WithExclude] take patterns of keys, as in a .gitignore file:
//
//   - A pattern without a slash, or with one only at its end, matches at any depth:
//     "*.jpg" matches a.jpg and 2026/a.jpg.
//   - Any other pattern matches from the top: "2026/*.jpg" matches 2026/a.jpg, but
//     not old/2026/a.jpg. A slash at its start has no other effect: "/*.jpg" matches
//     a.jpg only.
//   - In one segment, * matches any characters, ? one, [a-z] one of a class, and
//     {jpg,png} one of several texts. A backslash makes the next character literal. **
//     matches any number of segments: "2026/**/*.jpg".
//   - A slash or /** at the end matches everything in a directory: "2026/" in any
//     directory 2026, "/2026/" and "2026/**" in the one at the top. "**/" matches in
//     any directory.
//   - WithExclude also applies a pattern to everything in a directory that it
//     matches: ".git" excludes files and directories of that name, with their content.
//
// # Moves
//
// With [WithMove] a job removes each file from its source after the destination has it. A
// killed job leaves each file at one end or at both, and is continued by the same call.
//
// # Several machines
//
// Jobs with [WithShard] share the work of one. With [WithJournal] a repeated job continues
// after the last key up to which everything was done, and does not compare the files before
// it again. The command line has both: omnibucket sync --shard and --journal.
//
// # Memory
//
// A job walks both ends together, in the order of their keys, and does not remember
// finished files. Its memory does not grow with the number of files, except for the
// names in one directory at a time. Parts and ranges of large files count against the
// [storage.BufferLimit] of the buckets.
package transfer

import (
	"context"

	"github.com/omnibucket/storage"
)

// A Source is a bucket that a job can read. Every bucket of a job must be from this library, but it
// may have a Core of your own ([storage.Wrap]). If a Source is another value, the job fails
// with Unsupported before it makes a request.
type Source interface {
	storage.Downloader
	storage.Lister
	storage.AttrsReader
}

// Upload transfers the files in dir to b. It is short for Sync(ctx, Bucket(b),
// Dir(dir)).
func Upload(ctx context.Context, b storage.ReadWriter, dir string, opts ...Option) (*Report, error) {
	return run(ctx, "Upload", Bucket(b), Dir(dir), opts)
}

// Download transfers the objects of b to the directory dir, which it creates if
// necessary. No file appears before it is complete.
func Download(ctx context.Context, b Source, dir string, opts ...Option) (*Report, error) {
	return run(ctx, "Download", Dir(dir), sourceEnd(b), opts)
}

// Copy transfers the objects of src to dst, each with [storage.Copy], which copies
// inside the provider if it can.
func Copy(ctx context.Context, dst storage.ReadWriter, src Source, opts ...Option) (*Report, error) {
	return run(ctx, "Copy", Bucket(dst), sourceEnd(src), opts)
}

// sourceEnd returns the source of a job. With WithMove, the job can remove from it if it is a whole
// bucket.
func sourceEnd(src Source) End {
	end := End{kind: bucketEnd, src: src}
	end.dst, _ = src.(storage.ReadWriter)
	return end
}

// Sync transfers files of src to dst unless they are the same there. With [WithDelete], it then
// removes files from dst that src does not have.
//
// Sync returns a nil error only if it did everything. Otherwise the error joins up to 1,000
// failures. If the job ended early, the error also joins the reason. Each failure is a
// [*storage.Error] with a Key. The job ends early with InvalidArgument if an option or an end is
// invalid. If a listing fails, the job ends early with the error of the listing. If ctx is done,
// the job ends early with Canceled or DeadlineExceeded. Sync always returns a Report.
//
// If src contains dst or dst contains src, Sync fails with InvalidArgument, because WithDelete
// could remove the source. Sync compares the paths of directories and local buckets, and resolves
// symbolic links first. It compares other buckets with driver.Overlap.
//
// There are two exceptions. Both require that src is a directory or dst is a bucket.
//
//   - src contains dst, and [WithExclude] excludes the folder of src that is dst.
//   - dst contains src, and WithExclude excludes the folder of dst that is src.
func Sync(ctx context.Context, dst, src End, opts ...Option) (*Report, error) {
	return run(ctx, "Sync", dst, src, opts)
}
